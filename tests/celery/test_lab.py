"""The suite itself: both releases are what they claim to be and run every kind of application."""

import pytest

from lab.environments import DEBIAN_PINS, Environment
from support import eventually


def test_the_releases_are_those_pinned(environment, clients, apps):
    pinned = dict(line.split("==") for line in DEBIAN_PINS.read_text().split())
    for name, version in clients(environment, apps()).call("versions").items():
        assert (version == pinned[name]) is (environment is Environment.debian12), (name, version)


def test_every_kind_of_message_is_run(environment, clients, workers, apps, journal):
    """One worker reads what applications of every serializer, protocol and compression send."""
    kinds = [
        *({"serializer": name} for name in ("json", "pickle", "yaml", "msgpack")),
        {"protocol": 1},
        {"compression": "zlib"},
        {"compression": "bzip2"},
    ]
    workers(environment, apps())
    for number, kind in enumerate(kinds):
        clients(environment, apps(**kind)).send("lab.record", f"kind {number}")
    journal.wait_for(f"kind {number}" for number in range(len(kinds)))


def test_prefixes_and_priorities_lie_where_they_should(environment, clients, apps, site):
    clients(environment, apps(prefix="shop:")).send("lab.record", "a", priority=6)
    assert site.depth(prefix="shop:") == 1 and site.depth() == 0
    assert site.upstream("LLEN", "shop:celery\x06\x166") == 1


@pytest.mark.parametrize("environment", [Environment.newest], ids=["newest"], indirect=True)
def test_a_workflow_gives_its_result(environment, clients, workers, apps, site):
    workers(environment, apps(), concurrency=2)
    client = clients(environment, apps())
    adds = [{"task": "lab.add", "args": [number, number]} for number in range(3)]
    sent = client.start({"chord": adds, "body": {"task": "lab.total"}})
    assert client.result(sent["id"]) == 6
    eventually(lambda: site.unacked() == 0, 10)
