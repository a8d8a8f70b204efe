"""Messages of a worker that was killed: shown as orphans within seconds, brought back when that is wanted."""

import os
import signal

import pytest

from lab.commands import Commands
from lab.environments import Environment
from lab.kombu_peer import KombuPeer, message
from lab.metrics import Metrics
from lab.switch import Switch
from support import eventually, stays

LABELS = [f"m{number}" for number in range(6)]


@pytest.fixture
def restoring(sites):
    return sites("--broker-orphans", "restore", "--broker-orphan-after", "1s")


def held(site):
    """state -> labels of what workers hold."""
    found = {}
    for one in site.api("/unacked", limit=100)["items"]:
        found.setdefault(one["state"], []).append(one["args"][0])
    return {state: sorted(labels) for state, labels in found.items()}


def occupied(worker, client, site, journal, go):
    """The worker runs one task until `go` exists and has taken the others along."""
    client.send("lab.hold", LABELS[0], str(go))
    for label in LABELS[1:]:
        client.send("lab.record", label)
    journal.wait_for([f"begin {LABELS[0]}"])
    eventually(lambda: site.unacked() == len(LABELS), 15)
    assert site.depth() == 0 and worker.running


@pytest.fixture
def holding(environment, clients, workers, apps, journal, tmp_path):
    """holding(site): (client, worker, options, go) where the worker holds all of LABELS."""

    def start(site):
        options = apps(broker=site.broker, backend="", acks_late=True, prefetch=8)
        worker = workers(environment, options, concurrency=1)
        client = clients(environment, options)
        occupied(worker, client, site, journal, tmp_path / "go")
        return client, worker, options, tmp_path / "go"

    return start


def test_what_a_killed_worker_held_is_shown_as_orphans(holding, site):
    _, worker, _, _ = holding(site)
    assert "orphan" not in held(site)
    worker.kill_group()
    eventually(lambda: held(site) == {"orphan": LABELS}, 12, 0.2)
    one = site.api("/unacked")["items"][0]
    assert one["owner"]["state"] == "orphan"
    queue = site.api("/queues/celery")
    assert queue["unacked_by_state"]["orphan"] == len(LABELS)
    eventually(lambda: Metrics.of(site.sidecar).total("sidecar_broker_unacked", state="orphan") == 6, 5)
    shown = Commands(site.http_url)("unacked")
    assert shown.out.count("orphan") >= len(LABELS), shown.out
    stays(lambda: site.depth() == 0 and site.unacked() == len(LABELS), 2)
    assert any("orphan" in each["id"] for each in site.api("/findings")["items"])


def test_restored_they_run_once_more_and_in_their_order(
    holding, workers, environment, journal, restoring, capsys
):
    client, worker, options, go = holding(restoring)
    worker.kill_group()
    eventually(lambda: restoring.depth() == len(LABELS) and restoring.unacked() == 0, 12, 0.05)
    waiting = restoring.messages()
    assert [one["headers"]["argsrepr"].split("'")[1] for one in waiting] == LABELS
    assert all(one["headers"]["redelivered"] for one in waiting)
    go.touch()
    workers(environment, options, concurrency=1)
    journal.wait_for(LABELS)
    eventually(lambda: restoring.depth() == 0 and restoring.unacked() == 0)
    stays(lambda: journal.counts("m") == dict.fromkeys(LABELS, 1), 1)
    metrics = Metrics.of(restoring.sidecar)
    restored = metrics.total("sidecar_broker_orphans_restored_total")
    seen = metrics.total("sidecar_broker_orphans_total")
    with capsys.disabled():
        print(
            f"\n  {environment.value}: {seen:.0f} orphans seen, {restored:.0f} restored, each ran once more"
        )
    assert restored == seen == len(LABELS)
    restores = [one for one in restoring.api("/audit")["items"] if one["action"] == "restore"]
    assert len(restores) == len(LABELS) and all(one["by"] == "sidecar" for one in restores)
    assert client.call("depth", queue="celery") == 0


@pytest.mark.parametrize("environment", [Environment.newest], ids=["newest"], indirect=True)
def test_a_worker_that_is_stopped_or_leaves_by_itself_has_no_orphans(
    holding, workers, environment, journal, restoring
):
    """Frozen it keeps its sockets; asked to end it gives back what it has not begun, itself."""
    _, worker, options, go = holding(restoring)
    os.killpg(worker.pid, signal.SIGSTOP)
    stays(lambda: restoring.depth() == 0 and "orphan" not in held(restoring), 4)
    os.killpg(worker.pid, signal.SIGCONT)
    worker.process.terminate()
    go.touch()
    worker.process.wait(30)
    workers(environment, options)
    journal.wait_for(LABELS)
    eventually(lambda: restoring.depth() == 0 and restoring.unacked() == 0)
    assert journal.counts("m") == dict.fromkeys(LABELS, 1)
    assert restoring.sidecar.metric("sidecar_broker_orphans_restored_total") == 0


@pytest.mark.parametrize("environment", [Environment.newest], ids=["newest"], indirect=True)
def test_orphans_wait_for_a_redis_that_is_away(holding, workers, environment, journal, restoring):
    _, worker, options, go = holding(restoring)
    restoring.redis.freeze()
    try:
        worker.kill_group()
        stays(lambda: restoring.sidecar.running, 3)
    finally:
        restoring.redis.thaw()
    eventually(lambda: restoring.depth() == len(LABELS), 20, 0.1)
    go.touch()
    workers(environment, options)
    journal.wait_for(LABELS)
    assert journal.counts("m") == dict.fromkeys(LABELS, 1)


@pytest.fixture
def two(sites):
    """Two sidecars on one Redis."""
    return sites("--broker-orphans", "restore", "--broker-orphan-after", "1s", nodes=2)


IDLE = ("idle", *(f"idle\x06\x16{priority}" for priority in (3, 6, 9)))
"""The lists of a queue by priority, by which a worker of Celery is known that has no name yet."""


def restored(site):
    return sum(node.metric("sidecar_broker_orphans_restored_total") for node in site.nodes)


def test_who_has_sockets_at_another_sidecar_has_no_orphans(two):
    """The sockets that popped and noted go; one that polls is open at the other sidecar until later."""
    here, there = two.nodes
    elsewhere = KombuPeer(there)
    with KombuPeer(here) as peer:
        elsewhere.pop(*IDLE)
        two.upstream("LPUSH", "celery", message(tag="kept"))
        peer.note(peer.pop("celery"))
        eventually(lambda: two.api("/unacked")["items"][0]["owner"]["state"] == "alive", 10, 0.1)
    try:
        for _ in range(8):
            elsewhere.pop(*IDLE)
            assert two.unacked() == 1 and two.depth() == 0
        assert two.api("/unacked")["items"][0]["state"] != "orphan"
    finally:
        elsewhere.close()
    eventually(lambda: two.unacked() == 0 and two.depth() == 1, 15, 0.2)
    assert restored(two) == 1


def test_a_worker_that_a_balancer_moves_to_another_sidecar_keeps_its_messages(
    environment, clients, workers, apps, journal, two, tmp_path
):
    go = tmp_path / "go"
    with Switch(*(node.address for node in two.nodes)) as switch:
        broker = f"redis://127.0.0.1:{switch.port}/2"
        options = apps(broker=broker, backend="", acks_late=True, prefetch=8)
        worker = workers(environment, options, concurrency=1)
        client = clients(environment, apps(broker=two.broker, backend=""))
        occupied(worker, client, two, journal, go)
        assert switch.open(0) and switch.open(1), "its sockets are spread over both"
        switch.cut(1)
        stays(lambda: restored(two) == 0 and worker.running, 12)
        switch.off.clear()
        switch.cut(0)
        stays(lambda: restored(two) == 0 and worker.running, 12)
        go.touch()
        journal.wait_for(LABELS)
        eventually(lambda: two.depth() == 0 and two.unacked() == 0, 20)
        assert restored(two) == 0
