"""What a process knows about the things it depends on: whether they answer, since when, and when to try next.

A change is logged once, with cause and remedy; what fails again for the same reason is counted only.
"""

import logging
import threading
import time

from hdms_common.diagnosis import diagnose_database, diagnose_redis
from hdms_common.retry import backoff_delay

logger = logging.getLogger("hdms.connections")


class Connection:
    def __init__(self, name, diagnose, consequence, clock=time.monotonic):
        self.name = name
        self.place = ""
        self.diagnose = diagnose
        self.consequence = consequence
        self.clock = clock
        self.lock = threading.Lock()
        self.failed = None
        self.failed_since = 0.0
        self.failures = 0
        self.next_try = 0.0

    def lost(self, error):
        """Notes a failure and returns its diagnosis; logs it when it is news."""
        diagnosis = self.diagnose(error)
        with self.lock:
            news = self.failed is None or self.failed.problem is not diagnosis.problem
            if self.failed is None:
                self.failed_since = self.clock()
                self.failures = 0
            self.failed = diagnosis
            self.failures += 1
            self.next_try = self.clock() + backoff_delay(self.failures)
        if news:
            logger.error(
                "%s %s: %s: %s; %s. Remedy: %s",
                self.name,
                diagnosis.problem.value,
                self.place,
                diagnosis.cause,
                self.consequence,
                diagnosis.remedy,
            )
        return diagnosis

    def answered(self):
        if self.failed is None:
            return
        with self.lock:
            if self.failed is None:
                return
            seconds = self.clock() - self.failed_since
            failures = self.failures
            self.failed = None
        logger.warning(
            "%s answers again: %s, after %.1f s and %d failed tries", self.name, self.place, seconds, failures
        )

    def due(self):
        """Whether to try at all: always while it answers, else after each delay by one caller."""
        if self.failed is None:
            return True
        with self.lock:
            if self.failed is None:
                return True
            now = self.clock()
            if now < self.next_try:
                return False
            self.next_try = now + backoff_delay(self.failures + 1)
            return True

    def lost_for(self):
        """Seconds since it was lost, 0 while it answers."""
        return self.clock() - self.failed_since if self.failed is not None else 0.0


database = Connection("database", diagnose_database, "requests that need it answer 503")
cache = Connection("cache", diagnose_redis, "requests go on with cache misses")
broker = Connection("broker", diagnose_redis, "what would queue a task answers 503")
channels = Connection("channel layer", diagnose_redis, "messages are stored and delivered when it is back")
