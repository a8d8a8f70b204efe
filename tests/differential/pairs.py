"""The two servers of a comparison: plain Redis, and the sidecar in front of a second Redis."""

import dataclasses

from differential.runner import Side
from support import RedisServer, Sidecar


@dataclasses.dataclass(frozen=True)
class Mode:
    name: str
    protocol: int
    flags: tuple


MODES = (
    Mode("resp2-open", 2, ("--policy", "open", "--threads", "1")),
    Mode("resp3-open", 3, ("--policy", "open", "--threads", "1")),
    Mode("resp3-open-4threads", 3, ("--policy", "open", "--threads", "4")),
    Mode("resp2-strict-4threads", 2, ("--policy", "strict", "--threads", "4")),
)
PARTS = (1, 1000, 16_383, 16_384, 65_536, 300_000)  # sizes around the buffers of both servers


def modes_for(options):
    for mode in MODES:
        if "strict" in mode.flags and "strict" not in options:
            continue
        if {"resp2": 3, "resp3": 2}.get(next(iter(options & {"resp2", "resp3"}), "")) == mode.protocol:
            continue
        yield mode


class Pair:
    def __init__(self, flags, password, against):
        self.password = password
        self.plain = RedisServer(password=password)
        self.behind = RedisServer(password=password)
        self.sidecar = None
        if against == "sidecar":
            passwords = ("--password", password) if password else ()
            self.sidecar = Sidecar(self.behind.url, *flags, *passwords)

    @property
    def address(self):
        return self.sidecar.address if self.sidecar else self.behind.address

    def empty(self):
        for redis in (self.plain, self.behind):
            with redis.client() as client:
                client.pipeline(("FLUSHALL",), ("SCRIPT", "FLUSH"), ("FUNCTION", "FLUSH"))

    def sides(self, protocol, fragment=0, cut=0):
        """The subject receives each step in fragments, or cut in two; plain Redis receives it whole."""
        return (
            Side(self.plain.address, self.plain, protocol),
            Side(self.address, self.behind, protocol, fragment, cut),
        )

    def log_tail(self):
        return self.sidecar.log_tail(15) if self.sidecar else ""

    def alive(self):
        return self.sidecar is None or self.sidecar.running

    def close(self):
        for process in (self.sidecar, self.behind, self.plain):
            if process:
                process.close()


class Pairs:
    """Made when first asked for, shared by all conversations of a session, replaced after a crash."""

    def __init__(self, against):
        self.against = against
        self.made = {}

    def get(self, flags, password=None):
        key = (flags if self.against == "sidecar" else (), password)
        pair = self.made.get(key)
        if pair is None or not pair.alive():
            pair = self.made[key] = Pair(flags, password, self.against)
        pair.empty()
        return pair

    def close(self):
        for pair in self.made.values():
            pair.close()
