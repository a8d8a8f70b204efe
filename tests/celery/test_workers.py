"""Workers as seen from their sockets and heartbeats, and remote control, beside `celery inspect`."""

import urllib.parse

import pytest

from lab.site import ApiError
from support import eventually


def worker_of(site, node):
    found = [each for each in site.api("/workers")["items"] if each["node"] == node]
    return found[0] if found else None


def tell(site, node, operation, **body):
    return site.post(f"/workers/{urllib.parse.quote(node, safe='')}/{operation}", body)


def test_a_worker_is_described_as_it_describes_itself(environment, clients, workers, apps, site):
    worker = workers(environment, apps(), concurrency=2, queues="celery,slow")
    eventually(lambda: (worker_of(site, worker.node) or {}).get("concurrency"), 30)
    seen = worker_of(site, worker.node)
    stats = clients(environment, apps()).inspect("stats")[worker.node]
    assert seen["state"] == "online"
    assert seen["queues"] == ["celery", "slow"]
    assert seen["concurrency"] == stats["pool"]["max-concurrency"] == 2
    assert seen["prefetch"] == stats["prefetch_count"]
    assert seen["pid"] == stats["pid"]
    assert abs(seen["clock_skew_seconds"]) < 2
    assert seen["last_poll_seconds"] < 5


def test_remote_control_does_what_inspect_then_shows(environment, clients, workers, apps, site):
    worker = workers(environment, apps(), concurrency=1)
    inspect = clients(environment, apps()).inspect
    eventually(lambda: worker_of(site, worker.node), 15)

    assert tell(site, worker.node, "ping")["replies"] == {worker.node: {"ok": "pong"}}
    tell(site, worker.node, "add-consumer", queue="extra")

    def consumed():
        return {queue["name"] for queue in inspect("active_queues")[worker.node]}

    # The worker answers before it has done it.
    eventually(lambda: consumed() == {"celery", "extra"}, 20)
    tell(site, worker.node, "cancel-consumer", queue="extra")
    eventually(lambda: consumed() == {"celery"}, 20)
    tell(site, worker.node, "pool-grow", n=2)
    eventually(lambda: len(inspect("stats")[worker.node]["pool"]["processes"]) == 3, 20)
    tell(site, worker.node, "pool-shrink", n=1)
    assert tell(site, worker.node, "rate-limit", task="lab.add", rate="10/m")["changed"] == 1
    assert tell(site, "*", "ping")["changed"] == 1
    assert not site.keys("*.reply.celery.pidbox")

    tell(site, worker.node, "shutdown")
    eventually(lambda: not worker.running, 20)
    eventually(lambda: worker_of(site, worker.node)["state"] in ("offline", "gone"), 10)


def test_tasks_at_a_worker_are_those_of_inspect(environment, clients, workers, apps, site, tmp_path):
    options = apps(acks_late=True)
    worker = workers(environment, options, concurrency=1)
    client = clients(environment, options)
    running = client.send("lab.hold", "one", str(tmp_path / "go"))
    later = client.send("lab.record", "later", countdown=3600)
    eventually(lambda: client.inspect("active")[worker.node], 20)
    eventually(lambda: client.inspect("scheduled")[worker.node], 20)
    active = tell(site, worker.node, "active")["replies"][worker.node]
    assert [task["id"] for task in active] == [running]
    scheduled = tell(site, worker.node, "scheduled")["replies"][worker.node]
    assert [task["request"]["id"] for task in scheduled] == [later]
    assert worker_of(site, worker.node)["unacked"] == site.unacked() == 2
    (tmp_path / "go").touch()


def test_a_kicked_worker_comes_back_and_works(environment, clients, workers, apps, site, journal):
    worker = workers(environment, apps())
    eventually(lambda: (worker_of(site, worker.node) or {}).get("last_poll_seconds"), 15)
    before = set(worker_of(site, worker.node)["clients"])
    assert tell(site, worker.node, "kick")["changed"] >= 1
    eventually(lambda: set(worker_of(site, worker.node)["clients"]) - before, 40)
    clients(environment, apps()).send("lab.record", "after the kick")
    journal.wait_for(["after the kick"], 40)


def test_a_killed_worker_is_gone_in_seconds(environment, workers, apps, site):
    worker = workers(environment, apps())
    eventually(lambda: worker_of(site, worker.node), 15)
    worker.kill_group()
    eventually(lambda: worker_of(site, worker.node)["state"] == "gone", 10)
    with pytest.raises(ApiError) as refusal:
        tell(site, worker.node, "ping")
    assert refusal.value.status == 504


def test_what_cannot_be_told_is_refused(environment, workers, apps, site):
    worker = workers(environment, apps())
    eventually(lambda: worker_of(site, worker.node), 15)
    for node, operation, body, status in (
        ("nobody@lab", "ping", {}, 404),
        (worker.node, "dance", {}, 404),
        (worker.node, "add-consumer", {}, 400),
        (worker.node, "pool-grow", {"n": "many"}, 400),
    ):
        with pytest.raises(ApiError) as refusal:
            tell(site, node, operation, **body)
        assert refusal.value.status == status
