"""One client at work in a thread of its own: it does one operation after another, knows what became of each,
and notes every reply that cannot be right.
"""

import enum
import threading
import time
import traceback

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from support import Closed

AWAY = (redis.ConnectionError, redis.TimeoutError, Closed, OSError)
PAUSE_SECONDS = 0.003  # between operations: a load, not a benchmark
# No second attempts behind our back: what was tried once must not happen twice.
CLIENT_OPTIONS = {"retry": Retry(NoBackoff(), 0), "socket_timeout": 20, "socket_connect_timeout": 20}


class Outcome(enum.Enum):
    done = "done"
    refused = "refused"  # an error reply: it did not happen
    unknown = "unknown"  # the connection ended: it may have happened, once


class Actor:
    def __init__(self, site, tag):
        self.site, self.tag = site, tag
        self.name = f"{type(self).__name__} {tag}"
        self.done = self.refused = self.unknown = 0
        self.problems = []
        self.recovered_after = None  # seconds, see measure_recovery
        self._mark = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True, name=self.name)

    # For those who derive from it.

    def step(self):
        """One or a few operations."""

    def check(self, truth):
        """Compares what this actor knows with Redis; called when everything is quiet."""

    def close(self):
        """Gives back what the actor holds."""

    def expect(self, condition, text):
        if not condition:
            self.problems.append(f"{self.name}: {text}")

    def attempt(self, operation):
        """(outcome, result of the operation)"""
        try:
            result = operation()
        except AWAY as error:
            return self._not_done(error)
        except redis.ResponseError as error:
            self.expect(self.site.may_refuse(str(error)), f"unexpected error: {error}")
            self.refused += 1
            return Outcome.refused, None
        self.succeeded()
        return Outcome.done, result

    def _not_done(self, error):
        if self.site.may_refuse(str(error)):
            self.refused += 1
        self.unknown += 1
        self.stopping.wait(0.01)
        return Outcome.unknown, None

    def succeeded(self):
        self.done += 1
        if self._mark is not None and self.recovered_after is None:
            self.recovered_after = time.monotonic() - self._mark

    def measure_recovery(self, since):
        self.recovered_after = None
        self._mark = since

    # Its thread.

    def start(self):
        self.thread.start()

    def _run(self):
        try:
            while not self.stopping.is_set() and len(self.problems) < 10:
                self.step()
                self.stopping.wait(PAUSE_SECONDS)
        except Exception:
            self.problems.append(f"{self.name} ended: {traceback.format_exc()}")

    def stop(self):
        self.stopping.set()

    def join(self):
        self.thread.join(40)
        self.expect(not self.thread.is_alive(), "hangs")


class RedisActor(Actor):
    """With a redis-py client of its own, on one db."""

    db = 0
    protocol = 2

    def __init__(self, site, tag):
        super().__init__(site, tag)
        self.client = redis.Redis.from_url(site.url(self.db), protocol=self.protocol, **CLIENT_OPTIONS)

    def close(self):
        self.client.close()


class Register:
    """What one key may hold: the last acknowledged value, or any of unknown outcome since."""

    def __init__(self):
        self.possible = {None}

    def wrote(self, value, outcome):
        if outcome is Outcome.done:
            self.possible = {value}
        elif outcome is Outcome.unknown:
            self.possible.add(value)

    def saw(self, value):
        return value in self.possible


class Tally:
    """A counter: at least what was acknowledged, at most what was tried and not refused."""

    def __init__(self):
        self.least = self.most = 0

    def tried(self, outcome, by=1):
        self.least += by if outcome is Outcome.done else 0
        self.most += 0 if outcome is Outcome.refused else by

    def fits(self, value):
        return self.least <= value <= self.most
