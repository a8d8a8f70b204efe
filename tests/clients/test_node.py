"""ioredis, node-redis in both protocols, and BullMQ. The scenarios are in node/*.mjs."""

import pytest

from clients.programs import node_program, run_scenario, scenario_names

IOREDIS = [
    "pipelines",
    "autopipelining",
    "transactions",
    "watch",
    "pubsub",
    "blocking",
    "ordering",
    "scripts",
    "streams",
    "scanning",
    "databases",
    "reconnecting",
]
NODE_REDIS = [
    "pipelines",
    "types",
    "transactions",
    "watch",
    "pubsub",
    "blocking",
    "scripts",
    "caching",
    "scanning",
    "reconnecting",
]
BULLMQ = [
    "results",
    "retries",
    "priorities",
    "delays",
    "flows",
    "pausing",
    "repeating",
    "stalled",
    "shutdown",
]


@pytest.fixture(scope="session")
def program():
    built = {}

    def build(name):
        if name not in built:
            built[name] = node_program(name)
        return built[name]

    return build


@pytest.mark.parametrize("scenario", IOREDIS)
def test_ioredis(empty, program, scenario):
    run_scenario(program("ioredis"), scenario, empty)


@pytest.mark.parametrize("scenario", NODE_REDIS)
@pytest.mark.parametrize("protocol", ["2", "3"], ids=["resp2", "resp3"])
def test_node_redis(empty, program, scenario, protocol):
    run_scenario(program("node_redis"), scenario, empty, RESP=protocol)


@pytest.mark.parametrize("scenario", BULLMQ)
def test_bullmq(empty, program, scenario):
    run_scenario(program("bullmq"), scenario, empty)


@pytest.mark.parametrize(
    "name, scenarios", [("ioredis", IOREDIS), ("node_redis", NODE_REDIS), ("bullmq", BULLMQ)]
)
def test_no_scenario_is_left_out(program, name, scenarios):
    assert scenario_names(program(name)) == scenarios
