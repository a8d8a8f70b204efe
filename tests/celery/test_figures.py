"""What the API says beside what Redis holds and what `celery inspect` hears from the workers."""

import time

import pytest

from lab.commands import Commands
from support import eventually


@pytest.fixture
def run(site):
    return Commands(site.http_url)


@pytest.fixture
def busy(environment, clients, workers, apps, site, tmp_path):
    """A worker with two tasks running, some prefetched, one that waits for its ETA; more are queued."""
    go = tmp_path / "go"
    options = apps(acks_late=True, prefetch=2, events=True)
    client = clients(environment, options)
    worker = workers(environment, options, concurrency=2)
    client.send("lab.record", "later", eta_in=3600)
    eventually(lambda: site.unacked() == 1)
    for number in range(2):
        client.send("lab.hold", f"held {number}", str(go))
    for number in range(10):
        client.send("lab.record", f"queued {number}")
    eventually(lambda: len((client.inspect("active") or {}).get(worker.node, [])) == 2, 30)
    yield client, worker
    go.touch()


def test_figures_agree_with_redis_and_with_inspect(busy, run, site):
    client, worker = busy

    def settled():
        before = (site.depth(), site.unacked())
        time.sleep(0.3)
        return before == (site.depth(), site.unacked())

    eventually(settled, 15)
    active = {task["id"] for task in client.inspect("active")[worker.node]}
    reserved = {task["id"] for task in client.inspect("reserved")[worker.node]}
    scheduled = {task["request"]["id"] for task in client.inspect("scheduled")[worker.node]}

    def agrees():
        queue = run("queues", "celery", "--json").json
        held = run("unacked", "--limit", 100, "--json").json["items"]
        by_state = {}
        for one in held:
            by_state.setdefault(one["state"], set()).add(one["id"])
        return (
            queue["ready"] == site.depth()
            and queue["unacked"] == site.unacked() == len(held)
            and by_state.get("eta", set()) == scheduled
            and by_state.get("running", set()) | by_state.get("prefetched", set()) == active | reserved
        )

    eventually(agrees, 15, 0.3)
    assert len(active) == 2 and len(scheduled) == 1


def test_a_task_is_found_wherever_it_is(busy, run, site):
    client, worker = busy
    waiting = client.send("lab.record", "findable", queue="elsewhere")

    def queued():
        found = run("task", waiting, "--json")
        return found.status == 0 and found.json["where"] == "queued" and found.json

    assert eventually(queued, 15, 0.2)["queue"] == "elsewhere"
    running = client.inspect("active")[worker.node][0]["id"]
    assert run("task", running, "--json").json["where"] == "unacked"
    assert run("task", "00000000-0000-0000-0000-000000000000").status == 3
