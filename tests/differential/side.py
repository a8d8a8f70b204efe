"""One of the two servers of a comparison: the connections of the clients, and ways to look at its Redis."""

import dataclasses
import enum
import itertools
import ssl
import time

from support import encode, eventually
from support.wire import Closed, RawClient, is_message_push

DEADLINE = 10.0


class ReferenceStuck(Exception):
    """Plain Redis does not answer as the conversation says: the conversation is wrong."""


@dataclasses.dataclass
class Outcome:
    """What one step brought to one client."""

    frames: list = dataclasses.field(default_factory=list)
    messages: list = dataclasses.field(default_factory=list)  # RESP3 pushes other than confirmations
    closed: bool = False


@dataclasses.dataclass(frozen=True)
class Door:
    """Where clients of a side go in."""

    address: tuple
    tls: ssl.SSLContext | None = None
    password: str | None = None

    def connect(self):
        return RawClient(self.address, tls=self.tls, timeout=DEADLINE)


class Standing:
    """A connection that is there again when something has closed it: a restart, a CLIENT KILL."""

    def __init__(self, connect):
        self.connect = connect
        self.client = None

    def command(self, *args):
        def answer():
            try:
                self.client = self.client or self.connect()
                return (self.client.command(*args),)
            except (Closed, OSError):
                self.close()
                return None

        return eventually(answer, DEADLINE, message=f"no connection for {args}")[0]

    def close(self):
        if self.client:
            self.client.close()
        self.client = None


class After(enum.Enum):
    """What a restart of Redis means to the clients of a side."""

    RECONNECT = "reconnect"
    STAY = "stay"


class Side:
    """control: a Standing on the side's Redis. bystander: a Standing on what the clients are connected to."""

    def __init__(self, door, redis, control, bystander, patience=DEADLINE, after_restart=After.RECONNECT):
        self.door, self.redis, self.control, self.bystander = door, redis, control, bystander
        self.patience, self.after_restart = patience, after_restart
        self.clients = {}
        self.held = {}  # client: bytes that go out with its next step
        self.lasting = []  # what is told again after a restart

    def open(self, name):
        self.clients[name] = self.door.connect()
        self.held.pop(name, None)

    def log_in(self, name, protocol, password):
        client = self.clients[name]
        if protocol == 3:
            auth = ("AUTH", "default", password) if password else ()
            client.send(encode("HELLO", 3, *auth))
            assert client.read_frame()[:1] == b"%"
        elif password:
            assert client.command("AUTH", password) == "OK"

    def close_client(self, name):
        self.clients.pop(name).close()
        self.lasting = [one for one in self.lasting if one.client != name]

    def remember(self, steps):
        """What is told again after a restart; RESET forgets it."""
        for one in steps:
            if "RESET" in one.names:
                self.lasting = [other for other in self.lasting if other.client != one.client]
            if one.lasting:
                self.lasting.append(one)

    def send(self, steps, cut):
        """In pieces if asked for: those of several clients in turn, each read before the next is sent."""
        pieces = [self._pieces(one, cut) for one in steps]
        several = sum(map(len, pieces)) > len(pieces)
        for row in itertools.zip_longest(*pieces):
            for one, piece in zip(steps, row):
                if piece:
                    self.clients[one.client].send(piece)
                    if several:
                        self._give_way()

    def _pieces(self, one, cut):
        prefix = self.held.pop(one.client, b"")
        data = prefix + one.data
        if one.hold >= 0:
            end = len(prefix) + one.hold
            self.held[one.client], data = data[end:], data[:end]
        edges = [0, *(len(prefix) + offset for offset in one.cuts if cut), len(data)]
        return [data[start:end] for start, end in itertools.pairwise(edges)]

    def _give_way(self):
        """A piece is read alone when somebody else is answered before the next is sent."""
        self.bystander.command("PING")

    def reconnect(self):
        """All clients on new connections; what was lasting is told again."""
        for name in list(self.clients):
            self.clients[name].close()
            self.open(name)
        for one in self.lasting:
            self.send([one.but(hold=-1)], cut=False)
            settle(self, ())

    def blocked(self):
        text = self.control.command("INFO", "clients")
        return int(text.split(b"blocked_clients:")[1].split(b"\r\n")[0])

    def subscribed(self):
        """The names that are subscribed to at this side's Redis."""
        lists = [self.control.command("PUBSUB", which) for which in ("CHANNELS", "SHARDCHANNELS")]
        return {name for one in lists for name in one}, self.control.command("PUBSUB", "NUMPAT")

    def close(self):
        for client in self.clients.values():
            client.close()
        self.clients.clear()


def collect(client, outcome):
    frames = client.available()
    for frame in frames:
        (outcome.messages if is_message_push(frame) else outcome.frames).append(frame)
    changed = bool(frames) or client.closed != outcome.closed
    outcome.closed = client.closed
    return changed


def settle(side, steps):
    """Everything the reference has to say after some steps."""
    outcomes = {name: Outcome() for name in side.clients}
    waits = {one.client: one.wait for one in steps if one.wait}
    deadline = time.monotonic() + DEADLINE
    # Redis reads a long write in several turns.
    quiet, enough = 0, 2 + sum(len(one.data) for one in steps) // 8192
    while quiet < enough or any(len(outcomes[name].frames) < count for name, count in waits.items()):
        if time.monotonic() > deadline:
            raise ReferenceStuck(f"plain Redis answered {outcomes} to {steps}")
        side.control.command("PING")
        changes = [collect(client, outcomes[name]) for name, client in side.clients.items()]
        partial = any(client.partial for client in side.clients.values() if not client.closed)
        quiet = 0 if any(changes) or partial else quiet + 1
    return outcomes


def follow(side, expected):
    """As much from the other side as the reference had, or what there is at the deadline."""
    outcomes = {}
    deadline = time.monotonic() + side.patience
    for name, wanted in expected.items():
        outcome = outcomes[name] = Outcome()
        client = side.clients[name]
        while lacks(outcome, wanted) and not outcome.closed and time.monotonic() < deadline:
            client.wait_readable(0.02)
            collect(client, outcome)
        collect(client, outcome)
    return outcomes


def lacks(outcome, wanted):
    return (
        len(outcome.frames) < len(wanted.frames)
        or len(outcome.messages) < len(wanted.messages)
        or outcome.closed < wanted.closed
    )
