"""A prefork Celery worker, and the journal of what its tasks ran."""

import sys
import uuid

from clients.celery_app import build
from clients.process_group import ProcessGroup
from support import eventually


class CeleryWorker(ProcessGroup):
    def __init__(self, stack, journal, concurrency=2, queues="default", start=True):
        super().__init__("celery")
        self.node = f"worker-{uuid.uuid4().hex[:8]}@tests"
        self.concurrency = concurrency
        self.queues = queues
        self.environment = {**stack.environment, "RUNS_FILE": str(journal)}
        if start:
            self.start()

    def start(self):
        options = f"-n {self.node} -P prefork -c {self.concurrency} -Q {self.queues} -E -l info"
        self.spawn_group(
            [sys.executable, "-m", "celery", "-A", "clients.celery_app", "worker", *options.split()],
            self.environment,
        )
        return self

    def wait_ready(self):
        def ready():
            assert self.running, f"the worker ended:\n{self.log_tail()}"
            return self.log().count(f"{self.node} ready.") > 0

        eventually(ready, 40, message=f"the worker did not become ready:\n{self.log_tail()}")
        return self


class CeleryService:
    """What one application needs: the client side, a worker, the journal."""

    def __init__(self, stack, directory, **worker_options):
        self.stack = stack
        self.journal = directory / "runs"
        self.journal.touch()
        self.app = build(stack.broker_url)
        self.worker = CeleryWorker(stack, self.journal, **worker_options)

    def close(self):
        self.worker.close()
        self.app.close()

    def send(self, name, *args, **options):
        return self.app.tasks[name].apply_async(args, **options)

    def signature(self, name, *args, **options):
        return self.app.tasks[name].s(*args).set(**options)

    def runs(self, prefix=""):
        return [line for line in self.journal.read_text().splitlines() if line.startswith(prefix)]

    def queued(self, queue="default"):
        client_keys = [queue] + [f"{queue}\x06\x16{priority}" for priority in (3, 6, 9)]
        return sum(self.stack.upstream("LLEN", key, db=2) for key in client_keys)

    def unacknowledged(self):
        return self.stack.upstream("HLEN", "unacked", db=2)
