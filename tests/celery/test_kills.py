"""Tasks while their workers are killed: each runs at least once. With --full: 10,000 of them and 50 kills.

Beside it stands what the same costs without the sidecar: a message that Redis has given away and that its
worker has not written into `unacked` yet exists nowhere else.
"""

import pytest

from lab.app import AppOptions
from lab.environments import Environment
from lab.journal import Journal
from lab.killing import Slaughter
from lab.site import DURABLE
from support import eventually

VISIBILITY_SECONDS = 5


def options_on(url):
    return AppOptions(broker=url, acks_late=True, prefetch=1, visibility_timeout=VISIBILITY_SECONDS)


@pytest.fixture
def size(request):
    """(tasks, kills, seconds for it)"""
    return (10_000, 50, 900) if request.config.getoption("--full") else (1_500, 6, 100)


def run(client, journal, size, between=lambda kills: None, site=None):
    """Sends a share of the tasks before each kill, so that every victim dies at work. On the `site` nothing
    may be left in the end, while workers live who bring back what a victim had not acknowledged."""
    tasks, kills, seconds = size
    labels = [f"t{number}" for number in range(tasks)]
    share = tasks // kills
    with Slaughter(client.environment, client.options, journal) as slaughter:
        for number in range(kills):
            last = number == kills - 1
            client.send_many("lab.record", labels[number * share : None if last else (number + 1) * share])
            slaughter.kill_one(60)
            between(slaughter.kills)
        outcome = slaughter.outcome(labels, seconds, quiet=6 * VISIBILITY_SECONDS)
        if site is not None and outcome.lost == 0:
            eventually(lambda: site.depth() == 0 and site.unacked() == 0, 60)
        return outcome


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("environment", [Environment.newest], ids=["newest"], indirect=True)
def test_every_task_runs_while_workers_are_killed(sites, clients, environment, size, tmp_path, capsys):
    site = sites("--broker-orphans", "restore", "--broker-orphan-after", "1s")
    direct = Journal(tmp_path / "direct")
    without = run(clients(environment, options_on(site.direct_broker), direct), direct, size)
    site.upstream("FLUSHALL")
    through = Journal(tmp_path / "through")
    with_sidecar = run(clients(environment, options_on(site.broker), through), through, size, site=site)
    with capsys.disabled():
        print(f"\n  without sidecar: {without}\n  with sidecar:    {with_sidecar}")
        print(f"  put back: {site.sidecar.metric('sidecar_broker_hand_over_put_backs_total'):.0f}")
    assert with_sidecar.lost == 0


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("environment", [Environment.newest], ids=["newest"], indirect=True)
def test_every_task_runs_while_redis_is_killed_too(sites, clients, environment, size, tmp_path, capsys):
    """--broker-reserve and a Redis that keeps what it acknowledged: killed and started again, twice."""
    site = sites("--broker-reserve", redis_options=DURABLE)
    journal = Journal(tmp_path / "journal")
    crashes = [size[1] // 3, 2 * size[1] // 3]

    def crash_redis(kills_so_far):
        if crashes and kills_so_far >= crashes[0]:
            crashes.pop(0)
            site.redis.kill()
            site.redis.start()

    outcome = run(clients(environment, options_on(site.broker), journal), journal, size, crash_redis, site)
    with capsys.disabled():
        print(f"\n  --broker-reserve, Redis killed twice: {outcome}")
    assert not crashes and outcome.lost == 0
