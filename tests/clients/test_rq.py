"""rq: a forking worker with its scheduler, on the broker's db."""

import sys
from datetime import timedelta

import pytest
import redis
from rq import Queue, Retry, Worker
from rq.command import send_shutdown_command, send_stop_job_command
from rq.job import JobStatus

from clients import rq_jobs
from clients.process_group import ProcessGroup
from support import eventually

SECONDS = 30


class RqWorker(ProcessGroup):
    def __init__(self, stack, journal, *queues):
        super().__init__("rq")
        arguments = ["-m", "rq.cli", "worker", "--with-scheduler", "--url", stack.broker_url, *queues]
        self.spawn_group([sys.executable, *arguments], {"RUNS_FILE": str(journal)})


@pytest.fixture(scope="module")
def connection(stack):
    stack.flush()
    client = redis.Redis.from_url(stack.broker_url)
    yield client
    client.close()
    stack.check_alive()


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    path = tmp_path_factory.mktemp("rq") / "runs"
    path.touch()
    return path


@pytest.fixture(scope="module")
def worker(stack, connection, journal):
    with RqWorker(stack, journal, "high", "default") as process:
        eventually(lambda: Worker.all(connection=connection), SECONDS, message=process.log_tail())
        yield process


@pytest.fixture
def queue(worker, connection):
    return Queue("default", connection=connection)


def finished(job):
    eventually(
        lambda: job.get_status(refresh=True) == JobStatus.FINISHED,
        SECONDS,
        0.02,
        message=f"{job.id} is {job.get_status()}",
    )
    return job.return_value(refresh=True)


def test_jobs_answer_with_their_results(queue):
    jobs = [queue.enqueue(rq_jobs.multiply, number, number) for number in range(20)]
    assert [finished(job) for job in jobs] == [number * number for number in range(20)]


def test_a_batch_is_enqueued_at_once(queue):
    data = [Queue.prepare_data(rq_jobs.multiply, (number, 2)) for number in range(10)]
    assert [finished(job) for job in queue.enqueue_many(data)] == [number * 2 for number in range(10)]


def test_a_failure_is_kept_and_requeued(queue):
    job = queue.enqueue(rq_jobs.fail_first, "requeued")
    eventually(lambda: job.get_status(refresh=True) == JobStatus.FAILED, SECONDS)
    assert job.id in queue.failed_job_registry
    assert "ValueError" in job.latest_result().exc_string
    job.requeue()
    assert finished(job) == "second run"


def test_retries_follow_at_once_and_later(queue, journal):
    soon = queue.enqueue(rq_jobs.fail_first, "retried", retry=Retry(max=2))
    assert finished(soon) == "second run"
    hopeless = queue.enqueue(rq_jobs.fail, "hopeless", retry=Retry(max=2))
    eventually(lambda: hopeless.get_status(refresh=True) == JobStatus.FAILED, SECONDS)
    assert journal.read_text().splitlines().count("hopeless") == 3


def test_dependent_jobs_wait(queue, journal):
    first = queue.enqueue(rq_jobs.note, "first")
    second = queue.enqueue(rq_jobs.note, "second", depends_on=first)
    third = queue.enqueue(rq_jobs.note, "third", depends_on=[first, second])
    assert finished(third) == "third"
    ran = [line for line in journal.read_text().splitlines() if line in ("first", "second", "third")]
    assert ran == ["first", "second", "third"]


def test_the_scheduler_enqueues_when_it_is_time(queue):
    job = queue.enqueue_in(timedelta(seconds=2), rq_jobs.multiply, 6, 7)
    assert job.id in queue.scheduled_job_registry
    assert finished(job) == 42
    job.refresh()
    assert job.started_at >= job.created_at + timedelta(seconds=1), "rq counts in whole seconds"


def test_a_running_job_is_stopped(queue, connection, journal):
    job = queue.enqueue(rq_jobs.wait_to_be_stopped, "stopped")
    eventually(lambda: "stopped\n" in journal.read_text(), SECONDS)
    eventually(lambda: job.get_status(refresh=True) == JobStatus.STARTED, SECONDS)
    send_stop_job_command(connection, job.id)
    eventually(lambda: job.get_status(refresh=True) == JobStatus.STOPPED, SECONDS)
    assert "stopped ended" not in journal.read_text()


def test_the_worker_is_listed_and_shut_down_by_command(stack, connection, journal):
    with RqWorker(stack, journal, "other") as process:

        def known():
            return [
                worker for worker in Worker.all(connection=connection) if worker.queue_names() == ["other"]
            ]

        worker = eventually(known, SECONDS)[0]
        assert worker.pid == process.pid
        assert finished(Queue("other", connection=connection).enqueue(rq_jobs.multiply, 3, 5)) == 15
        send_shutdown_command(connection, worker.name)
        assert process.process.wait(SECONDS) == 0
        eventually(lambda: not known(), SECONDS)
