"""go-redis in both protocols, and rueidis. The scenarios are in go/."""

import pytest

from clients.programs import go_program, run_scenario, scenario_names

GO_REDIS = [
    "pipelines",
    "replies",
    "transactions",
    "watch",
    "pubsub",
    "blocking",
    "cancelled",
    "scripts",
    "streams",
]
RUEIDIS = [
    "pipelining",
    "caching",
    "caching-many",
    "without-cache",
    "watch",
    "pubsub",
    "blocking",
    "cancelled",
    "scripts",
]


@pytest.fixture(scope="module")
def goredis():
    return go_program("goredis")


@pytest.fixture(scope="module")
def rueidis():
    return go_program("rueidis")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", GO_REDIS)
@pytest.mark.parametrize("protocol", ["2", "3"], ids=["resp2", "resp3"])
def test_go_redis(goredis, empty, scenario, protocol):
    run_scenario(goredis, scenario, empty, RESP=protocol)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", RUEIDIS)
def test_rueidis(rueidis, empty, scenario):
    run_scenario(rueidis, scenario, empty)


def test_no_scenario_is_left_out(goredis, rueidis):
    assert scenario_names(goredis) == GO_REDIS
    assert scenario_names(rueidis) == RUEIDIS
