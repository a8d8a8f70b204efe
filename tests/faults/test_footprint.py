"""What clients cost: memory of idle ones, connections to Redis. `./dev bench footprint` is the long form."""

import os

import pytest

from support import eventually, slack
from support.crowd import Crowd, everyday, greeting, step

THREADS = 2
LINKS_MAX = 17  # eight a shard, and one of the control plane
STEP = 1_000
BYTES_MAX = 4_096


@pytest.fixture
def service(start):
    redis = start.redis(maxclients=1_000)
    hold = f"{slack(3):.0f}s"  # of a thousand transactions at once the last waits for long
    sidecar = start.sidecar(redis, "--threads", THREADS, "--max-clients", 5 * STEP, "--hold", hold)
    with Crowd(sidecar.address) as crowd:
        yield redis, sidecar, crowd


def connections(redis):
    listed = redis.command("CLIENT", "LIST").decode().splitlines()
    return sum(" name=sidecar " in line for line in listed)


def typed_transaction(number):
    key = f"typed:{number}"
    return [step(1, ("MULTI",)), step(1, ("SET", key, 1)), step(2, ("EXEC",))]


def large_reply(number):
    value = "x" * 1_500_000
    return (
        [step(3, ("SET", f"large:{number % 3}", value), ("GET", f"large:{number % 3}"))]
        if number < 60
        else []
    )


@pytest.mark.skipif("SIDECAR_SANITIZER" in os.environ, reason="sanitizers keep memory of their own")
def test_an_idle_client_is_small(service):
    """Of the second thousand on: what was free before serves the first."""
    _, sidecar, crowd = service

    def joined():
        crowd.join(STEP)
        crowd.do(greeting)
        crowd.do(everyday)
        return sidecar.resident_bytes()

    begin = joined()
    joined()
    grown = joined() - begin
    assert grown / (2 * STEP) <= BYTES_MAX, f"{grown / (2 * STEP):.0f} bytes per idle client"


def test_upstream_connections_are_few(service):
    """Both protocols, all dbs, large replies and typed transactions of a thousand clients."""
    redis, sidecar, crowd = service
    crowd.join(STEP)
    for part in (greeting, everyday, large_reply, typed_transaction, everyday):
        crowd.do(part)
    assert sidecar.metric("sidecar_leases_in_use") == 0
    eventually(lambda: connections(redis) <= LINKS_MAX, 10, message="connections are not given up")
    crowd.do(everyday)
    assert connections(redis) <= LINKS_MAX
