"""redis-rs in both protocols. The scenarios are in rust/src/."""

import pytest

from clients.programs import run_scenario, rust_program, scenario_names

SCENARIOS = [
    "multiplexed",
    "pipelines",
    "replies",
    "scripts",
    "streams",
    "watch",
    "pubsub",
    "pushes",
    "blocking",
    "cancelled",
    "caching",
    "manager",
]


@pytest.fixture(scope="module")
def program():
    return rust_program("redis_rs")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("protocol", ["2", "3"], ids=["resp2", "resp3"])
def test_redis_rs(program, empty, scenario, protocol):
    run_scenario(program, scenario, empty, RESP=protocol)


def test_no_scenario_is_left_out(program):
    assert scenario_names(program) == SCENARIOS
