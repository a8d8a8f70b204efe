"""Runs a conversation against plain Redis (the reference) and against the sidecar, and compares.

Plain Redis decides how many frames each step brings to each client; no count is written by hand. That it has
answered is known without waiting for time: Redis is one thread, so when two PINGs on another connection bring
nothing new for anybody, there is nothing to come. The sidecar is then given a deadline for as many frames,
and at the end a PING on every connection shows that there is nothing more.
"""

import dataclasses
import time

from differential.conversation import Step
from differential.normalise import hellos, normalise, pattern_order
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


class Side:
    """One of the two servers: connections of the clients, and a direct connection to its Redis."""

    def __init__(self, address, redis, protocol, fragment=0, cut=0):
        self.address, self.redis, self.protocol, self.fragment, self.cut = (
            address,
            redis,
            protocol,
            fragment,
            cut,
        )
        self.control = redis.client()
        self.clients = {}
        self.bystander = None

    def open(self, names, password=None):
        for name in names:
            client = self.clients[name] = RawClient(self.address, timeout=DEADLINE)
            if self.protocol == 3:
                auth = ("AUTH", "default", password) if password else ()
                client.send(encode("HELLO", 3, *auth))
                assert client.read_frame()[:1] == b"%"
            elif password:
                assert client.command("AUTH", password) == "OK"

    def perform(self, step):
        client = self.clients[step.client]
        if step.action == "close":
            client.close()
            del self.clients[step.client]
        else:
            for part in self._parts(step.data):
                client.send(part)
                self._give_way(part is not step.data)

    def _parts(self, data):
        if self.fragment:
            return [data[start : start + self.fragment] for start in range(0, len(data), self.fragment)]
        return [data[: self.cut], data[self.cut :]] if self.cut else [data]

    def _give_way(self, cut):
        """A fragment is read alone when somebody else is answered before the next is sent."""
        if cut:
            self.bystander = self.bystander or RawClient(self.address)
            self.bystander.command("PING")

    def control_command(self, *args):
        """A conversation may kill every connection of plain Redis, this one too."""
        try:
            return self.control.command(*args)
        except Closed:
            self.control = self.redis.client()
            return self.control.command(*args)

    def blocked(self):
        text = self.control_command("INFO", "clients")
        return int(text.split(b"blocked_clients:")[1].split(b"\r\n")[0])

    def close(self):
        for client in self.clients.values():
            client.close()
        self.control.close()
        if self.bystander:
            self.bystander.close()


def collect(client, outcome):
    frames = client.available()
    for frame in frames:
        (outcome.messages if is_message_push(frame) else outcome.frames).append(frame)
    changed = bool(frames) or client.closed != outcome.closed
    outcome.closed = client.closed
    return changed


def settle(side, step):
    """Everything the reference has to say after a step."""
    outcomes = {name: Outcome() for name in side.clients}
    deadline = time.monotonic() + DEADLINE
    quiet, enough = 0, 2 + len(step.data) // 8192  # Redis reads a long write in several turns.
    while quiet < enough or len(outcomes.get(step.client, Outcome()).frames) < step.wait:
        if time.monotonic() > deadline:
            raise ReferenceStuck(f"plain Redis answered {outcomes} to {step}")
        side.control_command("PING")
        changes = [collect(client, outcomes[name]) for name, client in side.clients.items()]
        partial = any(client.partial for client in side.clients.values() if not client.closed)
        quiet = 0 if any(changes) or partial else quiet + 1
    return outcomes


def follow(side, expected):
    """As much from the other side as the reference had, or what there is at the deadline."""
    outcomes = {}
    deadline = time.monotonic() + DEADLINE
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


def fences(conversation):
    return [Step(name, encode("PING", f"end-of-{name}"), ("PING",)) for name in conversation.clients]


def difference(step, wanted, got):
    """None, or a text that shows both."""
    for name, one in wanted.items():
        other = got[name]
        own = name == step.client
        frames = [
            pattern_order(normalise(step, side.frames) if own else hellos(side.frames))
            for side in (one, other)
        ]
        messages = [pattern_order(side.messages) for side in (one, other)]
        for what, left, right in (("frame", *frames), ("message", *messages)):
            if left != right:
                return f"client {name}, {first_difference(what, left, right)}"
        if one.closed != other.closed:
            last = short(other.frames[-1:])
            return f"client {name}: plain Redis {closes(one)}, got {closes(other)} after {last}"
    return None


def closes(outcome):
    return "closes" if outcome.closed else "keeps open"


def first_difference(what, left, right):
    index = next(
        (i for i, pair in enumerate(zip(left, right)) if pair[0] != pair[1]), min(len(left), len(right))
    )
    expected, got = short(left[index : index + 1]), short(right[index : index + 1])
    return f"{what} {index} (of {len(left)} / {len(right)})\n  expected {expected}\n  got      {got}"


def short(frames):
    if not frames:
        return "nothing"
    return repr(frames[0]) if len(frames[0]) < 600 else f"{frames[0][:300]!r}..{len(frames[0])} bytes"


def digest(redis):
    return redis.command("DEBUG", "DIGEST")


def run(conversation, reference, subject, password=None):
    """None, or how the subject differed. reference and subject are Sides."""
    try:
        for side in (reference, subject):
            side.open(conversation.clients, password)
        for step in [*conversation.steps, *fences(conversation)]:
            if step.client not in reference.clients or reference.clients[step.client].closed:
                continue
            found = run_step(step, reference, subject)
            if found:
                return f"after step {step}\n{found}"
    finally:
        reference.close()
        subject.close()
    if "no-digest" not in conversation.options:
        return compare_data(reference.redis, subject.redis)
    return None


def run_step(step, reference, subject):
    reference.perform(step)
    wanted = settle(reference, step)
    subject.perform(step)
    got = follow(subject, wanted)
    found = difference(step, wanted, got)
    if found:
        return found
    blocked = reference.blocked()
    if blocked or step.action == "close":
        return wait_blocked(subject, blocked)
    return None


def wait_blocked(subject, count):
    try:
        eventually(lambda: subject.blocked() == count, 3)
    except AssertionError:
        return f"plain Redis has {count} blocked clients, the Redis behind has {subject.blocked()}"
    return None


def compare_data(redis, other):
    try:
        eventually(lambda: digest(redis) == digest(other), 2)
    except AssertionError:
        return f"the data differ afterwards: {dump(redis)} against {dump(other)}"
    return None


def dump(redis):
    with redis.client() as client:
        names = sorted(client.command("KEYS", "*"))
        return [
            (name, client.command("TYPE", name), client.command("OBJECT", "ENCODING", name))
            for name in names[:50]
        ]
