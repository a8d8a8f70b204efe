"""Runs a conversation against plain Redis (the reference) and against the sidecar, and compares.

Plain Redis decides how many frames each step brings to each client; no count is written by hand. That it has
answered is known without waiting for time: Redis is one thread, so when two PINGs on another connection bring
nothing new for anybody, there is nothing to come. The sidecar is then given a deadline for as many frames,
and at the end a PING on every connection shows that there is nothing more.
"""

import dataclasses

from differential.conversation import Action, step
from differential.normalise import hellos, normalise, pattern_order
from differential.notation import write_step
from differential.side import After, ReferenceStuck, follow, settle
from support import eventually

RESTARTS = {Action.RESTART: True, Action.RESTART_EMPTY: False}  # whether the data come back

__all__ = ["Difference", "ReferenceStuck", "run"]


@dataclasses.dataclass(frozen=True)
class Difference:
    after: tuple  # steps; none at the end
    what: str  # frame, message, closing, blocked, data
    client: str
    expected: str
    got: str
    racing: bool = False  # plain Redis let clients run side by side: the order may well differ

    @property
    def signature(self):
        """What stays the same while a conversation shrinks."""
        return self.what, category(self.expected), category(self.got)

    def __str__(self):
        who = f" of client {self.client}" if self.client else ""
        after = "\n       ".join(map(write_step, self.after)) or "the end"
        note = " (several clients were served at once: their order may differ)" if self.racing else ""
        return f"after  {after}{note}\n{self.what}{who}\n  expected {self.expected}\n  got      {self.got}"


def category(text):
    """The type of a frame, the word of an error; what the sidecar says in its own words is a type too."""
    if "sidecar" in text:
        return "own refusal"
    return text.split(" ")[0] if text.startswith("b'-") else text[:3]


def run(conversation, reference, subject, protocol=2, password=None):
    """None, or a Difference. reference and subject are Sides."""
    return Comparison(conversation, reference, subject).run(protocol, password)


class Comparison:
    def __init__(self, conversation, reference, subject):
        self.conversation, self.reference, self.subject = conversation, reference, subject
        self.sides = (reference, subject)
        self.racing = False

    def run(self, protocol, password):
        try:
            for side in self.sides:
                for name in self.conversation.clients:
                    side.open(name)
                    side.log_in(name, protocol, password)
            found = self._steps()
        finally:
            for side in self.sides:
                side.close()
        found = found or self._left_behind()
        if found or "no-digest" in self.conversation.options:
            return found
        return self._data()

    def _steps(self):
        # One after the other: what was held back goes out with them.
        fences = [[step(name, ("PING", f"end-of-{name}"))] for name in self.conversation.clients]
        for group in [*self.conversation.groups(), *fences]:
            usable = [one for one in group if self._usable(one)]
            found = self._group(usable) if usable else None
            if found:
                return dataclasses.replace(found, racing=self.racing)
        return None

    def _usable(self, one):
        if one.action is Action.OPEN:
            return one.client not in self.reference.clients or self.reference.clients[one.client].closed
        if one.action in RESTARTS:
            return True
        return one.client in self.reference.clients and not self.reference.clients[one.client].closed

    def _group(self, steps):
        first = steps[0]
        if first.action is Action.SEND:
            return self._send(steps)
        if first.action in RESTARTS:
            return self._restart(RESTARTS[first.action], steps)
        for side in self.sides:
            if first.client in side.clients:
                side.close_client(first.client)
            if first.action is Action.OPEN:
                side.open(first.client)
        settle(self.reference, ())
        return self._gone(steps) or self._blocked(steps)

    def _send(self, steps):
        holding = {one.client for one in steps if one.client in self.reference.held or one.hold >= 0}
        self.reference.send(steps, cut=False)
        wanted = settle(self.reference, steps)
        self.subject.send(steps, cut=True)
        got = follow(self.subject, wanted)
        named = {one.client: one for one in steps if one.client not in holding}
        self._watch_for_races(steps, wanted)
        for name in wanted:
            found = difference(steps, name, named.get(name), wanted[name], got[name])
            if found:
                return found
        for side in self.sides:
            side.remember(steps)
        return self._blocked(steps) if self.reference.blocked() else None

    def _watch_for_races(self, steps, wanted):
        """Whoever is served runs what waits behind; together with others that is a race."""
        senders = {one.client for one in steps}
        served = [name for name, outcome in wanted.items() if outcome.frames and name not in senders]
        if len(served) > 1 or (served and (len(steps) > 1 or len(steps[0].commands) != 1)):
            self.racing = True

    def _restart(self, keep, after):
        for side in self.sides:
            if keep:
                side.control.command("SAVE")
            side.redis.kill()
            if not keep:
                (side.redis.directory / "dump.rdb").unlink(missing_ok=True)
        self.reference.redis.start()
        self.subject.redis.start(wait_ready=self.subject.after_restart is After.RECONNECT)
        for side in self.sides:
            if side.after_restart is After.RECONNECT:
                side.reconnect()
        return self._blocked(after) or self._subscribed(after)

    # What is known only behind the sidecar.

    def _blocked(self, after):
        wanted = self.reference.blocked()
        return self._becomes("blocked", after, wanted, self.subject.blocked)

    def _subscribed(self, after):
        wanted, patterns = self.reference.subscribed()

        def seen():
            names, others = self.subject.subscribed()
            return (names & wanted, min(others, patterns))

        return self._becomes("subscribed", after, (wanted, patterns), seen)

    def _gone(self, after):
        there = sum(not client.closed for client in self.subject.clients.values())
        return self._becomes("clients", after, there, self.subject.count_clients)

    def _left_behind(self):
        """The next conversation must not meet what this one has left."""
        settle(self.reference, ())
        return self._gone(()) or self._blocked(())

    def _becomes(self, what, after, wanted, seen):
        last = None

        def reached():
            nonlocal last
            last = seen()
            return last == wanted

        try:
            eventually(reached, self.subject.patience, interval=0.001)
        except AssertionError:
            return Difference(after, what, "", repr(wanted), repr(last))
        return None

    def _data(self):
        digests = [lambda side=side: side.control.command("DEBUG", "DIGEST") for side in self.sides]
        try:
            eventually(lambda: digests[0]() == digests[1](), min(2, self.subject.patience))
        except AssertionError:
            return Difference((), "data", "", *(str(dump(side.control)) for side in self.sides))
        return None


def difference(after, name, one, wanted, got):
    """one: the client's own step, unless held bytes make it unknown whose the frames are."""
    kept = [normalise(one, each.frames) if one else hellos(each.frames) for each in (wanted, got)]
    frames = [pattern_order(each) for each in kept]
    messages = [pattern_order(each.messages) for each in (wanted, got)]
    for what, left, right in (("frame", *frames), ("message", *messages)):
        if left != right:
            expected, other = first_difference(left, right)
            return Difference(after, what, name, expected, other)
    if wanted.closed != got.closed:
        return Difference(after, "closing", name, closes(wanted), f"{closes(got)}, {short(got.frames[-1:])}")
    return None


def closes(outcome):
    return "closed" if outcome.closed else "open"


def first_difference(left, right):
    index = next(
        (i for i, pair in enumerate(zip(left, right)) if pair[0] != pair[1]), min(len(left), len(right))
    )
    return tuple(
        f"{short(side[index : index + 1])}   (number {index} of {len(side)})" for side in (left, right)
    )


def short(frames):
    if not frames:
        return "nothing"
    return repr(frames[0]) if len(frames[0]) < 600 else f"{frames[0][:300]!r}..{len(frames[0])} bytes"


def dump(control):
    """(db, key, type, digest) of the first keys."""
    found = []
    for db in range(16):
        control.command("SELECT", db)
        for name in sorted(control.command("KEYS", "*")):
            digest = control.command("DEBUG", "DIGEST-VALUE", name)[0][:8]
            found.append((db, name, control.command("TYPE", name), digest))
    control.command("SELECT", 0)
    return found[:50]
