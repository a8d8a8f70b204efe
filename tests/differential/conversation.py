"""Conversations: who sends which bytes in which order. Written as text (scenarios/*.txt) or made by code.

    == title [options]              starts a conversation; options: see `Conversation.options`
    A: SET k v | GET k              client A sends both commands in one write
    A +1: BLPOP k 0.05              plain Redis must have answered 1 frame before the next step
    A ~unordered: SMEMBERS s        replies are compared after a named normaliser (normalise.py)
    A raw: "PING\r\n"               exactly these bytes
    A close:                        the client goes away

Arguments are quoted as in redis-cli; <x*1000> is x a thousand times. Lines that start with # are comments.
"""

import dataclasses
import re

from support import encode

TOKEN = re.compile(rb"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|<(.+?)\*(\d+)>|([^\s]+))""")
ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"a": b"\a", b"b": b"\b"}


@dataclasses.dataclass(frozen=True)
class Step:
    client: str
    data: bytes = b""
    commands: tuple = ()  # names in upper case, empty for raw bytes
    wait: int = 0  # frames plain Redis must have answered before the next step
    normaliser: str = ""
    action: str = "send"  # or "close"

    def __str__(self):
        data = self.data if len(self.data) < 600 else self.data[:500] + b"... %d bytes" % len(self.data)
        return f"{self.client} {self.action} {data!r}"


@dataclasses.dataclass(frozen=True)
class Conversation:
    title: str
    steps: tuple
    # strict: also run under --policy strict; resp2 / resp3: only with that protocol; password: needs AUTH;
    # no-digest: leaves the data sets different for a stated reason.
    options: frozenset = frozenset()

    @property
    def clients(self):
        return sorted({step.client for step in self.steps})

    def with_steps(self, steps):
        return dataclasses.replace(self, steps=tuple(steps))

    def __str__(self):
        return "\n".join(
            [f"conversation: {self.title}", *(f"  {n}: {step}" for n, step in enumerate(self.steps))]
        )


def unescape(text):
    def one(match):
        code = match.group(1)
        return bytes([int(code[1:], 16)]) if len(code) == 3 else ESCAPES.get(code, code)

    return ESCAPE.sub(one, text)


def words(text):
    """Splits like redis-cli; a bare | stays a word of its own (None)."""
    result, position = [], 0
    text = text.encode().rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        double, single, repeated, times, bare = match.groups()
        if double is not None:
            result.append(unescape(double))
        elif single is not None:
            result.append(single.replace(b"\\'", b"'"))
        elif repeated is not None:
            result.append(repeated * int(times))
        else:
            result.append(None if bare == b"|" else bare)
        position = match.end()
    return result


def commands_of(text):
    commands = [[]]
    for word in words(text):
        if word is None:
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def step(client, *commands, wait=None, normaliser=""):
    """A step that sends commands (tuples of arguments) in one write."""
    data = b"".join(encode(*command) for command in commands)
    names = tuple(
        str(command[0], "latin-1").upper() if isinstance(command[0], bytes) else command[0].upper()
        for command in commands
    )
    if wait is None:  # A long write is not read by Redis in one go.
        wait = len(commands) if len(data) > 8192 else 0
    return Step(client, data, names, wait, normaliser)


def parse_line(line):
    head, _, body = line.partition(":")
    client, *marks = head.split()
    wait, normaliser, raw, action = None, "", False, "send"
    for mark in marks:
        if mark.startswith("+"):
            wait = int(mark[1:])
        elif mark.startswith("~"):
            normaliser = mark[1:]
        elif mark == "raw":
            raw = True
        elif mark == "close":
            action = "close"
        else:
            raise ValueError(f"unknown mark {mark!r} in {line!r}")
    if action == "close":
        return Step(client, action=action)
    if raw:
        return Step(client, b"".join(words(body)), (), wait or 0, normaliser)
    return step(client, *commands_of(body), wait=wait, normaliser=normaliser)


def parse(text, source):
    """The conversations of a scenario file; a first line `@ option ...` holds for all of them."""
    common, found, title, options, steps = set(), [], None, set(), []

    def finish():
        if title is not None:
            found.append(Conversation(f"{source}: {title}", tuple(steps), frozenset(common | options)))

    for line in text.splitlines():
        if line.startswith("@"):
            common = set(line[1:].split())
        elif line.startswith("=="):
            finish()
            title, _, listed = line[2:].strip().partition(" [")
            options, steps = set(listed.rstrip("]").split()), []
        elif line.strip() and not line.startswith("#"):
            steps.append(parse_line(line))
    finish()
    return found
