"""Every difference that is allowed between plain Redis and the sidecar, with its reason. Nothing else is.

A normaliser maps a reply frame to what is compared. Most are needed between any two Redis servers: run the
suite with `--against redis` to see that it holds without the sidecar.
"""

import re

from support.resp import children

REASONS = {
    "unordered": "sets and key spaces are hash tables seeded at random in each server: order differs",
    "deep_unordered": "the same at any depth: COMMAND lists subcommands in the order of a hash table too",
    "shape": "random picks, times and memory figures: only type and structure can be compared",
    "kind": "the text describes this very server or connection (INFO, CLIENT INFO, LOLWUT): only the type",
    "hello": "the connection id and the order of nothing else: HELLO's fields but `id` are compared",
    "client_list": "addresses, ids, ages and buffer sizes of connections differ, and the sidecar knows CLIENT"
    " SETINFO's fields (7.2) before Redis does: all other names and the stable values are compared",
    "any_channel": "UNSUBSCRIBE without names walks a hash table: which name comes when differs",
    "scan": "cursors depend on the hash seed: elements are compared, the final cursor too",
    "pattern_order": "a message that matches several patterns of a client comes once for each, in the order"
    " of a hash table seeded at random",
    "refusal": "a named user's refused command: the sidecar adds the rule to Redis's own words",
    "error_code": "CLIENT TRACKING with REDIRECT is not possible through the sidecar: only the error"
    " code is compared",
}

HELLO_REPLY = re.compile(rb"[*%]\d+\r\n\$6\r\nserver\r\n")
UNORDERED = {"SMEMBERS", "SINTER", "SUNION", "SDIFF", "KEYS"}
RANDOM = {"SPOP", "SRANDMEMBER", "RANDOMKEY", "HRANDFIELD", "ZRANDMEMBER", "TIME", "LASTSAVE"}
SCANS = {"SCAN", "SSCAN", "HSCAN", "ZSCAN"}
STABLE_CLIENT_FIELDS = (
    b"name",
    b"db",
    b"sub",
    b"psub",
    b"ssub",
    b"multi",
    b"user",
    b"resp",
    b"flags",
    b"cmd",
)


def shape(frame):
    head, inner = children(frame)
    return head + b"".join(map(shape, inner)) if inner else head[:1]


def kind(frame):
    return frame[:1]


def unordered(frame):
    head, inner = children(frame)
    return head + b"".join(sorted(inner))


def deep_unordered(frame):
    head, inner = children(frame)
    return head + b"".join(sorted(map(deep_unordered, inner))) if inner else frame


def scan(frame):
    head, inner = children(frame)
    return frame if len(inner) != 2 else head + inner[0] + unordered(inner[1])


def hello(frame):
    head, inner = children(frame)
    for index in range(0, len(inner) - 1, 2):
        if inner[index] == b"$2\r\nid\r\n":
            inner[index + 1] = b":<id>\r\n"
    return head + b"".join(inner) if inner else frame


def client_list(frame):
    lines = []
    for line in frame.split(b"\n"):
        fields = dict(re.findall(rb"([a-z-]+)=(\S*)", line))
        if fields:
            stable = b" ".join(b"%s=%s" % (name, fields.get(name, b"?")) for name in STABLE_CLIENT_FIELDS)
            names = b",".join(name for name in fields if name not in (b"lib-name", b"lib-ver"))
            lines.append(names + b" " + stable)
    return frame[:1] + b"\n".join(sorted(lines)) if lines else frame


def any_channel(frame):
    head, inner = children(frame)
    return head + b"".join(part if index != 1 else part[:1] for index, part in enumerate(inner))


def error_code(frame):
    return frame.split(b" ", 1)[0] if frame.startswith(b"-") else frame


def pattern_order(frames):
    """Sorts neighbours that are one message by several patterns."""
    result, run = [], []
    for frame in [*frames, None]:
        if run and (frame is None or _pattern_message(frame) != _pattern_message(run[0])):
            result += sorted(run)
            run = []
        if frame is not None and _pattern_message(frame):
            run.append(frame)
        elif frame is not None:
            result.append(frame)
    return result


def _pattern_message(frame):
    """(channel, payload), or None for any other frame."""
    if not frame.startswith((b"*4\r\n$8\r\npmessage", b">4\r\n$8\r\npmessage")):
        return None
    return children(frame)[1][2:]


def refusal(frame):
    return frame.replace(b" (sidecar policy: user-readonly)\r\n", b"\r\n") if frame[:1] == b"-" else frame


BY_NAME = {name: globals()[name] for name in REASONS if name != "pattern_order"}


def hellos(frames):
    """What may differ in any frame, whatever it answers."""
    return [hello(frame) if HELLO_REPLY.match(frame) else refusal(frame) for frame in frames]


def automatic(command):
    if command in UNORDERED:
        return "unordered"
    if command in RANDOM:
        return "shape"
    if command in SCANS:
        return "scan"
    return "hello" if command == "HELLO" else ""


def normalise(step, frames):
    """The frames a step's own client received, as they are compared."""
    if step.normaliser:
        return [BY_NAME[step.normaliser](frame) for frame in frames]
    if len(step.names) != len(frames):
        return hellos(frames)
    names = map(automatic, step.names)
    return [BY_NAME[name](frame) if name else frame for name, frame in zip(names, hellos(frames))]
