"""Celery workers that start late, end in order, or are killed: no task is lost, priorities hold."""

import signal
import time

import pytest

from clients.celery_app import VISIBILITY_TIMEOUT
from clients.celery_worker import CeleryService, CeleryWorker
from clients.stack import THREADS_BOTH
from support import eventually

pytestmark = pytest.mark.parametrize("stack", THREADS_BOTH, indirect=True, ids=lambda n: f"threads{n}")
SECONDS = 30


@pytest.fixture
def service(empty, tmp_path):
    running = CeleryService(empty, tmp_path, concurrency=1, start=False)
    yield running
    running.close()


def wait_until_visible_again(service):
    """Until the unacknowledged message may be restored: workers compare its score with their clock."""

    def due():
        scores = service.stack.upstream("ZRANGE", "unacked_index", 0, -1, "WITHSCORES", db=2)
        return scores and float(scores[1]) + VISIBILITY_TIMEOUT < time.time()

    eventually(due, VISIBILITY_TIMEOUT + 5)


def test_priorities_decide_the_order(service):
    for priority in (9, 6, 3, 0):
        for _ in range(5):
            service.send("record", f"p{priority}", priority=priority)
    assert service.queued() == 20
    service.worker.start()
    eventually(lambda: len(service.runs()) == 20, SECONDS)
    assert service.runs() == ["p0"] * 5 + ["p3"] * 5 + ["p6"] * 5 + ["p9"] * 5


def test_queues_are_served_together(service):
    service.worker.queues = "default,mail,reports"
    results = [
        service.send("add", number, 1, queue=queue)
        for number in range(10)
        for queue in ("default", "mail", "reports")
    ]
    service.worker.start()
    assert sorted(result.get(timeout=SECONDS) for result in results) == sorted(list(range(1, 11)) * 3)


def test_a_killed_pool_process_gets_its_task_again(service):
    service.worker.start()
    result = service.send("dies_once", "dies")
    assert result.get(timeout=SECONDS) is True, "the second run is a redelivery"
    assert service.runs() == ["dies", "dies"]
    eventually(lambda: service.unacknowledged() == 0)


def test_a_killed_worker_loses_nothing(service, tmp_path):
    go = tmp_path / "go"
    service.worker.start()
    result = service.send("record_when", "unfinished", str(go))
    later = [service.send("record", f"later {number}") for number in range(20)]
    eventually(lambda: service.runs("begin unfinished"), SECONDS)
    eventually(lambda: service.unacknowledged() >= 1)
    service.worker.kill_group()
    assert service.unacknowledged() >= 1
    wait_until_visible_again(service)
    go.touch()
    second = CeleryWorker(service.stack, service.journal, concurrency=1)
    try:
        assert result.get(timeout=SECONDS) == "unfinished"
        assert [one.get(timeout=SECONDS) for one in later] == [f"later {number}" for number in range(20)]
        eventually(lambda: service.unacknowledged() == 0)
    finally:
        second.close()
    assert service.runs("begin unfinished") == ["begin unfinished"] * 2
    assert service.runs("unfinished") == ["unfinished"]
    assert sorted(service.runs("later")) == sorted(f"later {number}" for number in range(20))


def test_a_warm_shutdown_finishes_and_a_restart_goes_on(service, tmp_path):
    go = tmp_path / "go"
    service.worker.start()
    first = service.send("record_when", "running", str(go))
    eventually(lambda: service.runs("begin running"), SECONDS)
    rest = [service.send("record", f"rest {number}") for number in range(30)]
    service.worker.signal(signal.SIGTERM)
    eventually(lambda: "Warm shutdown" in service.worker.log(), SECONDS)
    go.touch()
    assert service.worker.process.wait(SECONDS) == 0
    assert first.get(timeout=SECONDS) == "running"
    ran_before = len(service.runs("rest"))
    assert service.unacknowledged() == 0, "messages not run were not restored"
    assert service.queued() == 30 - ran_before
    service.worker.start()
    assert [one.get(timeout=SECONDS) for one in rest] == [f"rest {number}" for number in range(30)]
    assert sorted(service.runs("rest")) == sorted(f"rest {number}" for number in range(30)), "each ran once"
    assert service.runs("running") == ["running"]


def test_workers_share_the_work(service):
    second = CeleryWorker(service.stack, service.journal, concurrency=1)
    try:
        service.worker.start().wait_ready()
        second.wait_ready()
        inspect = service.app.control.inspect(timeout=2)
        nodes = {service.worker.node, second.node}
        eventually(lambda: set(inspect.ping() or {}) == nodes, SECONDS)
        results = [service.send("record", f"shared {number}") for number in range(200)]
        assert [one.get(timeout=SECONDS) for one in results] == [f"shared {number}" for number in range(200)]
        done = {node: stats["total"].get("record", 0) for node, stats in inspect.stats().items()}
        assert sum(done.values()) == 200 and min(done.values()) > 0, done
    finally:
        second.close()
