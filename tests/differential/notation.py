"""Conversations as text (scenarios/*.txt), read and written. What is written reads the same again.

    == title [options]              starts a conversation; options: see `Conversation.options`
    A: SET k v | GET k              client A sends both commands in one write
    A +1: BLPOP k 0.05              plain Redis must have answered 1 frame before the next step
    A ~unordered: SMEMBERS s        replies are compared after a named normaliser (normalise.py)
    A raw: "PING\r\n"               exactly these bytes
    A cut=3,19: SET k v             in three pieces, each read before the next is sent
    A hold=7: GET k                 the bytes from 7 on go out with A's next step
    A &: GET a                      the next line is sent without waiting for the answer to this one
    A lasting: SELECT 2             told to plain Redis again after a restart: the sidecar remembers
    A close:                        the client goes away
    A open:                         and is there again, on a new connection
    * restart:                      both Redis are killed and started again; restart-empty: without data

Arguments are quoted as in redis-cli; <x*1000> is x a thousand times. Lines that start with # are comments.
"""

import re

from differential.conversation import Action, Conversation, Step, step

TOKEN = re.compile(rb"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|<(.+?)\*(\d+)>|([^\s]+))""")
ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"a": b"\a", b"b": b"\b"}
BARE = re.compile(rb"[A-Za-z0-9_.:+*?()@/=-]+")
REPEATED = re.compile(rb"([A-Za-z0-9])\1{30,}")
ACTIONS = {action.value: action for action in Action if action is not Action.SEND}


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


def parse_marks(marks, line):
    """(fields of the step, whether the body is raw bytes)"""
    fields, raw = {}, False
    for mark in marks:
        if mark.startswith("+"):
            fields["wait"] = int(mark[1:])
        elif mark.startswith("~"):
            fields["normaliser"] = mark[1:]
        elif mark.startswith("cut="):
            fields["cuts"] = tuple(map(int, mark[4:].split(",")))
        elif mark.startswith("hold="):
            fields["hold"] = int(mark[5:])
        elif mark == "&":
            fields["together"] = True
        elif mark == "lasting":
            fields["lasting"] = True
        elif mark in ACTIONS:
            fields["action"] = ACTIONS[mark]
        elif mark == "raw":
            raw = True
        else:
            raise ValueError(f"unknown mark {mark!r} in {line!r}")
    return fields, raw


def parse_line(line):
    head, _, body = line.partition(":")
    client, *marks = head.split()
    fields, raw = parse_marks(marks, line)
    if raw or "action" in fields:
        return Step(client, raw=b"".join(words(body)), **fields)
    return step(client, *commands_of(body), **fields)


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


def quoted(argument):
    if BARE.fullmatch(argument):
        repeated = REPEATED.fullmatch(argument)
        return f"<{repeated[1].decode()}*{len(argument)}>" if repeated else argument.decode()
    named = {13: "\\r", 10: "\\n", 9: "\\t", 34: '\\"', 92: "\\\\"}
    return '"' + "".join(named.get(c) or (chr(c) if 32 <= c < 127 else f"\\x{c:02x}") for c in argument) + '"'


def write_marks(one):
    yield one.client
    if one.action is not Action.SEND:
        yield one.action.value
    if one.raw:
        yield "raw"
    if one.lasting:
        yield "lasting"
    if one.wait or len(one.data) > 8192:
        yield f"+{one.wait}"
    if one.normaliser:
        yield f"~{one.normaliser}"
    if one.cuts:
        yield "cut=" + ",".join(map(str, one.cuts))
    if one.hold >= 0:
        yield f"hold={one.hold}"
    if one.together:
        yield "&"


def write_step(one):
    body = " | ".join(" ".join(map(quoted, command)) for command in one.commands) or quoted(one.raw)
    return " ".join(write_marks(one)) + ":" + (f" {body}" if one.data else "")


def write(conversation):
    options = f" [{' '.join(sorted(conversation.options))}]" if conversation.options else ""
    return "\n".join([f"== {conversation.title}{options}", *map(write_step, conversation.steps)])
