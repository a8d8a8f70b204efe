"""A real Celery worker in either environment."""

import uuid

from lab.programs import Program
from support import eventually


class Worker(Program):
    """pool: prefork, solo, threads. more: further arguments of `celery worker`."""

    def __init__(self, environment, options, journal, queues="", concurrency=1, pool="prefork", more=()):
        super().__init__("celery-worker", environment, options, journal)
        self.node = f"w-{uuid.uuid4().hex[:8]}@lab"
        self.arguments = ["-n", self.node, "-P", pool, "-c", str(concurrency), "-l", "info", *more]
        if queues:
            self.arguments += ["-Q", queues]
        self.starts = 0

    def start(self):
        self.starts += 1
        self.spawn_program(["-m", "celery", "-A", "lab.app", "worker", *self.arguments])
        return self

    def wait_ready(self, seconds=60):
        def ready():
            assert self.running, f"the worker ended:\n{self.log_tail()}"
            return self.log().count(f"{self.node} ready.") >= self.starts

        eventually(ready, seconds, 0.05, message=f"the worker did not become ready:\n{self.log_tail()}")
        return self
