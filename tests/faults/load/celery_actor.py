"""A Celery producer; its worker is a process of its own."""

import logging
import time

from kombu.exceptions import OperationalError

from clients.celery_app import build
from faults.load.actor import Actor, Outcome

STANDSTILL_SECONDS = 6
logging.getLogger("celery").setLevel(logging.CRITICAL)


class CeleryProducer(Actor):
    """Labels go out as tasks; the worker's journal tells which of them ran."""

    def __init__(self, site, tag, worker, runs):
        super().__init__(site, tag)
        self.worker = worker
        self.app = build(site.url(2))
        self.app.conf.task_publish_retry = False
        self.runs = runs
        self.ran, self.progress_at = 0, time.monotonic()
        self.number = 0
        self.acknowledged = set()

    def publish(self, label):
        try:
            self.app.tasks["record"].apply_async((label,), retry=False, ignore_result=True)
        except OperationalError as error:
            raise ConnectionError(str(error)) from error

    def step(self):
        self.number += 1
        label = f"{self.tag}-{self.number}"
        outcome, _ = self.attempt(lambda: self.publish(label))
        if outcome is Outcome.done:
            self.acknowledged.add(label)
        self.stopping.wait(0.05)

    def revive_worker(self):
        """What a supervisor does, and is needed with plain Redis too: an error reply such as READONLY ends a
        worker, an acknowledgement of unknown outcome costs it a slot for good."""
        ran, now = len(self.runs()), time.monotonic()
        if ran != self.ran:
            self.ran, self.progress_at = ran, now
        if not self.worker.running or now - self.progress_at > STANDSTILL_SECONDS:
            print("the Celery worker is started again:", self.worker.log_tail(2))
            self.worker.kill_group()
            self.worker.start()
            self.progress_at = time.monotonic() + STANDSTILL_SECONDS

    def close(self):
        self.app.close()
