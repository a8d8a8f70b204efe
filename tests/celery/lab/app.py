"""The Celery application under test, built from a description that travels as JSON (the variable LAB_APP).

It imports in either environment, so that producers and workers of both releases run the same tasks. A run of
a task leaves a line in a local file, the journal: nothing under test is needed to know what ran.

`celery -A lab.app worker` is how workers start it; tests say what they want with AppOptions.
"""

import dataclasses
import json
import os
import signal
import time

from celery import Celery


@dataclasses.dataclass
class AppOptions:
    """What may differ between applications. broker: a redis URL with its db."""

    broker: str
    backend: str = ""  # "" = no results
    serializer: str = "json"  # json, pickle, yaml, msgpack
    compression: str = ""  # zlib, bzip2, zstd ... as kombu calls them
    protocol: int = 2
    prefix: str = ""  # global_keyprefix
    result_prefix: str = ""  # the same of the result backend
    default_queue: str = "celery"
    sep: str = ""  # "" = kombu's
    priority_steps: list = dataclasses.field(default_factory=list)
    visibility_timeout: int = 3600
    acks_late: bool = False
    prefetch: int = 4
    events: bool = False

    def to_json(self):
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text):
        return cls(**json.loads(text))

    def transport_options(self):
        options = {"visibility_timeout": self.visibility_timeout}
        if self.prefix:
            options["global_keyprefix"] = self.prefix
        if self.sep:
            options["sep"] = self.sep
        if self.priority_steps:
            options["priority_steps"] = self.priority_steps
        if self.visibility_timeout < 60:  # kombu sweeps at each tenth second and at every tenth time only
            options |= {"unacked_restore_interval": 1, "unacked_restore_throttle": 1}
        return options


def build(options):
    app = Celery("lab", broker=options.broker, backend=options.backend or None)
    app.conf.update(
        broker_transport_options=options.transport_options(),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_default_queue=options.default_queue,
        task_serializer=options.serializer,
        result_serializer=options.serializer,
        accept_content=["json", "pickle", "yaml", "msgpack"],
        task_compression=options.compression or None,
        task_protocol=options.protocol,
        task_acks_late=options.acks_late,
        task_send_sent_event=options.events,
        task_track_started=options.events,
        worker_send_task_events=options.events,
        worker_prefetch_multiplier=options.prefetch,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_publish_retry_policy={"max_retries": 200, "interval_start": 0, "interval_max": 0.2},
    )
    if options.result_prefix:
        app.conf.result_backend_transport_options = {"global_keyprefix": options.result_prefix}
    register(app)
    return app


def note(line):
    """One write to the end of the file: whole lines, also from several processes, also at SIGKILL."""
    descriptor = os.open(os.environ["LAB_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


def hold_until(path):
    deadline = time.monotonic() + 90
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.01)


def register(app):
    def task(name, **options):
        return app.task(name=name, shared=False, **options)

    @task("lab.add")
    def add(left, right):
        return left + right

    @task("lab.total")
    def total(numbers):
        return sum(numbers)

    @task("lab.record")
    def record(label, *_, **__):
        note(label)
        return label

    @task("lab.hold")
    def hold(label, path):
        """Notes that it began, and that it ended once the file exists."""
        note(f"begin {label}")
        hold_until(path)
        note(label)
        return label

    @task("lab.flaky", bind=True, max_retries=5)
    def flaky(self, label, failures, countdown=0.1):
        note(label)
        if self.request.retries < failures:
            raise self.retry(countdown=countdown, exc=ValueError("not yet"))
        return self.request.retries

    @task("lab.fails")
    def fails(label):
        note(label)
        raise KeyError(label)

    @task("lab.kills", acks_late=True, reject_on_worker_lost=True)
    def kills(label):
        """Ends its process as the kernel does when memory is short; Celery sends it again."""
        note(label)
        os.kill(os.getpid(), signal.SIGKILL)

    return add, total, record, hold, flaky, fails, kills


if "LAB_APP" in os.environ:
    app = build(AppOptions.from_json(os.environ["LAB_APP"]))
