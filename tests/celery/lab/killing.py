"""Tasks that run while their workers are killed by SIGKILL at random, and what came of them."""

import collections
import dataclasses
import random
import time

from lab.worker import Worker
from support import eventually, slack


@dataclasses.dataclass
class Outcome:
    sent: int
    lost: int
    doubled: int
    kills: int
    seconds: float

    def __str__(self):
        return (
            f"{self.sent} tasks, {self.kills} kills: {self.lost} lost, {self.doubled} run more than once,"
            f" {self.seconds:.0f} s"
        )


class Slaughter:
    """Real workers of one application; each kill is followed by a new start.

    acks_late: without it Celery itself forgets what a killed worker had begun, whatever stands on the wire.
    """

    def __init__(self, environment, options, journal, workers=4, seed=1):
        self.journal = journal
        self.random = random.Random(seed)
        self.workers = [
            Worker(environment, options, journal, pool="solo", more=("--without-mingle", "--without-gossip"))
            for _ in range(workers)
        ]
        self.kills = 0
        self.begin = time.monotonic()

    def __enter__(self):
        try:
            for worker in self.workers:
                worker.start()
            for worker in self.workers:
                worker.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for worker in self.workers:
            worker.close()

    def kill_one(self, seconds):
        """One that has told it is ready, at a moment nobody chose; then it is started again."""
        ready = eventually(self._ready_workers, seconds, 0.05, "no worker becomes ready")
        victim = self.random.choice(ready)
        time.sleep(self.random.uniform(0, 0.1))  # not a wait: the moment is to be random
        victim.kill_group()
        victim.start()
        self.kills += 1

    def _ready_workers(self):
        self.revive()
        return [
            worker for worker in self.workers if worker.log().count(f"{worker.node} ready.") >= worker.starts
        ]

    def revive(self):
        """What a supervisor does with one that ended by itself."""
        for worker in self.workers:
            if not worker.running:
                worker.start()

    def outcome(self, labels, seconds, quiet):
        """Waits until every label ran, or nothing has run for `quiet` seconds; the rest is lost."""
        wanted = set(labels)
        last_change, seen = time.monotonic(), -1

        def over():
            nonlocal last_change, seen
            self.revive()
            runs = self.journal.runs()
            if len(runs) != seen:
                last_change, seen = time.monotonic(), len(runs)
            return wanted <= set(runs) or time.monotonic() - last_change > slack(quiet)

        eventually(over, seconds, 0.2, message="tasks still run")
        counts = collections.Counter(self.journal.runs())
        missing = wanted - set(counts)
        return Outcome(
            sent=len(wanted),
            lost=len(missing),
            doubled=sum(1 for label in wanted if counts[label] > 1),
            kills=self.kills,
            seconds=time.monotonic() - self.begin,
        )
