"""Conversations: schedules over several clients, who sends which bytes in which order.

A step is taken only when plain Redis has said all it has to say to the one before, or its client is known to
be blocked, and the side under test has said the same. So the order between clients is enforced.
"""

import dataclasses
import enum
import functools

from support import encode


class Action(enum.Enum):
    SEND = "send"
    OPEN = "open"  # a new connection under a name whose last one is closed
    CLOSE = "close"  # the client goes away
    RESTART = "restart"  # both Redis are killed and come back with their data
    RESTART_EMPTY = "restart-empty"  # ... and come back without data


EVERYBODY = "*"  # the client of a step that concerns the servers


@dataclasses.dataclass(frozen=True)
class Step:
    client: str
    commands: tuple = ()  # tuples of bytes; empty for raw bytes
    raw: bytes = b""
    wait: int = 0  # frames plain Redis must have answered before the next step
    normaliser: str = ""
    action: Action = Action.SEND
    cuts: tuple = ()  # offsets at which the side under test gets the bytes in pieces
    hold: int = -1  # the bytes from here on go out with the client's next step, on both sides
    together: bool = False  # the next step is sent without waiting for this one
    lasting: bool = False  # after a restart plain Redis is told again: the sidecar's clients have kept it

    @functools.cached_property
    def data(self):
        return b"".join(encode(*command) for command in self.commands) if self.commands else self.raw

    @functools.cached_property
    def names(self):
        return tuple(command[0].decode("latin-1").upper() for command in self.commands)

    def but(self, **changes):
        return dataclasses.replace(self, **changes)


@dataclasses.dataclass(frozen=True)
class Conversation:
    title: str
    steps: tuple
    # strict: also run under --policy strict; resp2 / resp3: only with that protocol; password: needs AUTH;
    # unauthenticated: the clients begin without; no-digest: leaves the data different for a stated reason.
    options: frozenset = frozenset()

    @property
    def clients(self):
        return sorted({step.client for step in self.steps} - {EVERYBODY})

    def with_steps(self, steps):
        return dataclasses.replace(self, steps=tuple(steps))

    def groups(self):
        """The steps, with those that go out together in one list."""
        group = []
        for one in self.steps:
            group.append(one)
            if not one.together:
                yield group
                group = []
        if group:
            yield group


def as_bytes(argument):
    return argument if isinstance(argument, bytes) else str(argument).encode()


def step(client, *commands, wait=None, **options):
    """A step that sends commands (tuples of arguments) in one write."""
    made = Step(client, tuple(tuple(map(as_bytes, command)) for command in commands), **options)
    if wait is None:  # A long write is not read by Redis in one go.
        wait = len(commands) if len(made.data) > 8192 else 0
    return made.but(wait=wait)


def fragmented(conversation, size):
    """The same with every step cut into pieces of a size."""
    return conversation.with_steps(
        one.but(cuts=tuple(range(size, len(one.data), size))) for one in conversation.steps
    )
