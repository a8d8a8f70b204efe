"""Celery with a prefork worker: results, retries, times, workflows, remote control, events."""

import threading
import time

import pytest
from celery import chain, chord, group
from celery.exceptions import TaskRevokedError

from clients.celery_worker import CeleryService
from clients.stack import THREADS_BOTH
from support import eventually

pytestmark = pytest.mark.parametrize("stack", THREADS_BOTH, indirect=True, ids=lambda n: f"threads{n}")
SECONDS = 30


@pytest.fixture(scope="module")
def service(stack, tmp_path_factory):
    stack.flush()
    running = CeleryService(stack, tmp_path_factory.mktemp("celery"))
    running.worker.wait_ready()
    yield running
    running.close()
    stack.check_alive()


@pytest.fixture
def inspect(service):
    return service.app.control.inspect(destination=[service.worker.node], timeout=5)


def test_every_task_answers_with_its_own_result(service):
    results = [service.send("add", number, number) for number in range(300)]
    assert [result.get(timeout=SECONDS) for result in results] == [2 * number for number in range(300)]
    assert service.queued() == 0
    eventually(lambda: service.unacknowledged() == 0)


def test_publishers_in_threads(service):
    results = [None] * 8

    def publish(index):
        results[index] = [service.send("add", index, number) for number in range(25)]

    threads = [threading.Thread(target=publish, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    for index, mine in enumerate(results):
        assert [result.get(timeout=SECONDS) for result in mine] == [index + number for number in range(25)]


def test_a_large_message_and_a_large_result(service):
    value = "é" * 2_000_000
    assert service.send("echo", value).get(timeout=SECONDS) == value


def test_retries_are_counted(service):
    result = service.send("flaky", "flaky", 3)
    assert result.get(timeout=SECONDS) == 3
    assert service.runs("flaky") == ["flaky"] * 4
    failed = service.send("hopeless", "hopeless")
    with pytest.raises(KeyError):
        failed.get(timeout=SECONDS)
    assert failed.state == "FAILURE" and service.runs("hopeless") == ["hopeless"] * 3


def test_an_eta_is_not_early(service, inspect):
    sent = time.time()
    result = service.send("record_time", "eta", countdown=1.5)

    def scheduled():
        return [entry["request"]["id"] for entry in inspect.scheduled()[service.worker.node]]

    eventually(lambda: scheduled() == [result.id], interval=0.05)
    ran = result.get(timeout=SECONDS)
    assert 1.5 <= ran - sent < 10
    assert service.runs("eta") == ["eta"]


def test_workflows(service):
    task = service.signature
    header = group(task("add", number, number) for number in range(20))
    assert header.apply_async().get(timeout=SECONDS) == [2 * number for number in range(20)]
    assert chord(header, task("total")).apply_async().get(timeout=SECONDS) == 380
    additions = chain(task("add", 1, 2), task("add", 10), task("add", 100))
    assert additions.apply_async().get(timeout=SECONDS) == 113
    inner = chord([task("add", 1, 1), task("add", 2, 2)], task("total"))
    assert chain(inner, task("add", 4)).apply_async().get(timeout=SECONDS) == 10


def test_callbacks_of_success_and_failure(service):
    service.send("add", 2, 3, link=service.signature("echo")).get(timeout=SECONDS)
    failed = service.signature("record", "errback ran")
    failed.immutable = True
    service.send("hopeless", "linked", link_error=failed)
    eventually(lambda: service.runs("errback ran"), SECONDS)


def test_a_revoked_task_never_runs(service, inspect):
    waiting = service.send("record", "revoked", countdown=2)
    eventually(lambda: inspect.scheduled()[service.worker.node], interval=0.05)
    waiting.revoke()
    eventually(lambda: waiting.id in inspect.revoked()[service.worker.node], interval=0.05)
    with pytest.raises(TaskRevokedError):
        waiting.get(timeout=SECONDS)
    assert waiting.state == "REVOKED" and service.runs("revoked") == []


def test_a_running_task_is_terminated(service, tmp_path):
    running = service.send("record_when", "terminated", str(tmp_path / "never"))
    eventually(lambda: service.runs("begin terminated"), SECONDS)
    running.revoke(terminate=True, signal="SIGKILL")
    eventually(lambda: running.state == "REVOKED", SECONDS, 0.05)
    assert service.runs("terminated") == []
    assert service.send("add", 1, 1).get(timeout=SECONDS) == 2, "the pool did not recover"


def test_inspection_tells_what_goes_on(service, inspect, tmp_path):
    node = service.worker.node
    go = tmp_path / "go"
    results = [service.send("record_when", f"inspected {number}", str(go)) for number in range(4)]
    ids = {result.id for result in results}
    eventually(lambda: len(inspect.active()[node]) == 2, interval=0.05)
    active = {request["id"] for request in inspect.active()[node]}
    assert active < ids
    assert {request["args"][0] for request in inspect.active()[node]} <= {f"inspected {n}" for n in range(4)}
    assert inspect.ping() == {node: {"ok": "pong"}}
    assert "record_when" in inspect.registered()[node]
    assert [queue["name"] for queue in inspect.active_queues()[node]] == ["default"]
    assert inspect.stats()[node]["pool"]["max-concurrency"] == 2
    assert inspect.query_task(results[0].id)[node][results[0].id][0] in ("active", "reserved")
    go.touch()
    assert [result.get(timeout=SECONDS) for result in results] == [f"inspected {n}" for n in range(4)]


def test_commands_change_the_worker(service, inspect):
    node, control = service.worker.node, service.app.control
    assert control.add_consumer("extra", reply=True, destination=[node], timeout=5)[0][node]["ok"]
    assert service.send("add", 3, 4, queue="extra").get(timeout=SECONDS) == 7
    assert control.cancel_consumer("extra", reply=True, destination=[node], timeout=5)[0][node]["ok"]
    eventually(lambda: len(inspect.active_queues()[node]) == 1, interval=0.05)
    waiting = service.send("add", 3, 4, queue="extra")
    assert service.send("add", 1, 1).get(timeout=SECONDS) == 2
    assert waiting.state == "PENDING" and service.queued("extra") == 1
    assert control.pool_grow(1, reply=True, destination=[node], timeout=5)[0][node]["ok"]
    assert control.pool_shrink(1, reply=True, destination=[node], timeout=5)[0][node]["ok"]


def test_events_arrive_in_order(service):
    seen, stop = [], threading.Event()

    def receive():
        with service.app.connection_for_read() as connection:
            receiver = service.app.events.Receiver(connection, handlers={"*": seen.append})
            for _ in receiver.itercapture(timeout=None, wakeup=True):
                if stop.is_set():
                    return

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    eventually(lambda: any(event["type"].startswith("worker-") for event in seen), SECONDS)
    result = service.send("add", 20, 22)
    assert result.get(timeout=SECONDS) == 42

    def kinds():
        return {event["type"] for event in seen if event.get("uuid") == result.id}

    wanted = {"task-sent", "task-received", "task-started", "task-succeeded"}
    eventually(lambda: kinds() >= wanted, SECONDS)
    clocks = {event["type"]: event["clock"] for event in seen if event.get("uuid") == result.id}
    assert clocks["task-received"] < clocks["task-started"] < clocks["task-succeeded"]
    stop.set()
    service.send("add", 1, 1)
    thread.join(SECONDS)
