"""A Celery application as services have it. Runs leave a line in a local file, so that nothing under test
is needed to know what ran.

`celery -A clients.celery_app worker` takes its URLs from the environment; tests build theirs with build().
"""

import functools
import os
import pathlib
import signal
import time

from asgiref.sync import async_to_sync
from celery import Celery, Task
from channels_redis.core import RedisChannelLayer
from django.core.cache.backends.redis import RedisCache

VISIBILITY_TIMEOUT = 3
PATIENT = {"max_retries": 100, "interval_start": 0, "interval_step": 0.05, "interval_max": 0.2}


def build(url):
    app = Celery("shop", broker=url, backend=url)
    app.conf.update(
        broker_transport_options={
            "visibility_timeout": VISIBILITY_TIMEOUT,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_publish_retry_policy=PATIENT,
        result_backend_transport_options={"retry_policy": PATIENT | {"timeout": 30}},
        result_extended=True,
        task_send_sent_event=True,
        task_track_started=True,
        worker_prefetch_multiplier=1,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        task_default_queue="default",
    )
    register(app)
    return app


def journal():
    return pathlib.Path(os.environ["RUNS_FILE"])


def note(line):
    with open(journal(), "a", buffering=1) as runs:
        runs.write(f"{line}\n")


def hold_until(path):
    deadline = time.monotonic() + 60
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.01)


def register(app):
    task = functools.partial(app.task, shared=False)

    @task(name="add")
    def add(left, right):
        return left + right

    @task(name="total")
    def total(numbers):
        return sum(numbers)

    @task(name="echo")
    def echo(value):
        return value

    @task(name="record")
    def record(label):
        note(label)
        return label

    @task(name="record_time")
    def record_time(label):
        note(label)
        return time.time()

    @task(name="record_when", acks_late=True)
    def record_when(label, path):
        """Notes that it began, and that it ended once the file exists."""
        note(f"begin {label}")
        hold_until(path)
        note(label)
        return label

    @task(name="flaky", bind=True, max_retries=5)
    def flaky(self: Task, label, failures):
        note(label)
        if self.request.retries < failures:
            raise self.retry(countdown=0.1, exc=ValueError("not yet"))
        return self.request.retries

    @task(name="hopeless", autoretry_for=(KeyError,), retry_kwargs={"max_retries": 2, "countdown": 0})
    def hopeless(label):
        note(label)
        raise KeyError(label)

    @task(name="announce")
    def announce(number):
        """What a Django project does in a task: counts in the cache, tells a group of WebSockets."""
        cache = RedisCache(os.environ["CACHE_URL"], {})
        cache.incr("announced")
        layer = RedisChannelLayer(hosts=[os.environ["CHANNELS_URL"]])
        async_to_sync(layer.group_send)("dashboard", {"type": "announced", "number": number})
        cache.close()
        return number

    @task(name="dies_once", bind=True, acks_late=True, reject_on_worker_lost=True)
    def dies_once(self: Task, label):
        first = f"{label}\n" not in journal().read_text()
        note(label)
        if first:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.request.delivery_info.get("redelivered")


if "BROKER_URL" in os.environ:
    app = build(os.environ["BROKER_URL"])
