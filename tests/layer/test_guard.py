"""channels_redis's core layer, unmodified, through the guard: no loss, no duplicate, no timeout."""

import asyncio
import json
import time

import pytest
from channels_redis.core import RedisChannelLayer

from support import eventually

CANCELS = 120


def raced(program, environment, url, scenario, seed=1):
    lines = program(environment, "layer.guard_race", url, scenario, CANCELS, seed).finish(90)
    return json.loads(lines.strip().splitlines()[-1])


@pytest.mark.parametrize("scenario", ["own", "others"])
def test_raced_cancellation_loses_and_doubles_nothing(site, program, environment, scenario):
    through = raced(program, environment, site.url(), scenario)
    direct = raced(program, environment, site.direct_url, scenario)
    print(f"\n{environment.value}, {scenario}: through the guard {through}\n   without it {direct}")
    assert through["cancelled"] > CANCELS / 4, "the race was not run"
    assert (through["lost"], through["duplicated"], through["errors"]) == (0, 0, [])
