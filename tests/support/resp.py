"""RESP2 and RESP3: bytes of commands, ends of frames, frames as Python values."""

import dataclasses

BULK_LIKE = b"$=!"
AGGREGATES = {ord("*"): 1, ord("~"): 1, ord(">"): 1, ord("%"): 2, ord("|"): 2}


class Incomplete(Exception):
    """The frame needs at least `need` bytes of buffer."""

    def __init__(self, need):
        super().__init__(need)
        self.need = need


@dataclasses.dataclass(frozen=True)
class Failure:
    """An error reply, without '-' and CRLF."""

    text: str

    @property
    def code(self):
        return self.text.split(" ", 1)[0]


class Push(list):
    """A RESP3 push."""


def to_bytes(value):
    if isinstance(value, bytes):
        return value
    return str(value).encode()


def encode(*args):
    """A command as an array of bulk strings."""
    out = [b"*%d\r\n" % len(args)]
    for arg in map(to_bytes, args):
        out.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(out)


def inline(text):
    return to_bytes(text) + b"\r\n"


def frame_end(buffer, start=0):
    """Where the frame that begins at start ends; raises Incomplete when it is not all there."""
    position, open_frames = start, 1
    while open_frames:
        line_end = buffer.find(b"\r\n", position)
        if line_end < 0:
            raise Incomplete(len(buffer) + 1)
        kind = buffer[position]
        open_frames -= 1
        if kind in BULK_LIKE:
            length = int(buffer[position + 1 : line_end])
            position = line_end + 2 + (length + 2 if length >= 0 else 0)
            if position > len(buffer):
                raise Incomplete(position)
        elif kind in AGGREGATES:
            count = int(buffer[position + 1 : line_end])
            open_frames += max(count, 0) * AGGREGATES[kind] + (1 if kind == ord("|") else 0)
            position = line_end + 2
        else:
            position = line_end + 2
    return position


def split_frames(buffer):
    """All complete frames of some bytes; raises Incomplete when a part is left over."""
    frames, position = [], 0
    while position < len(buffer):
        end = frame_end(buffer, position)
        frames.append(bytes(buffer[position:end]))
        position = end
    return frames


def children(frame):
    """The first line of a frame and the frames inside it (none for a scalar)."""
    line_end = frame.index(b"\r\n") + 2
    if frame[0] not in AGGREGATES:
        return frame, []
    return frame[:line_end], split_frames(frame[line_end:])


def decode(frame):
    """One complete frame as a Python value."""
    head, inner = children(frame)
    kind, text = frame[:1], head[1:].split(b"\r\n", 1)[0]
    if kind in (b"*", b"~"):
        return None if text == b"-1" else [decode(item) for item in inner]
    if kind == b">":
        return Push(decode(item) for item in inner)
    if kind == b"%":
        values = [decode(item) for item in inner]
        return {_hashable(key): value for key, value in zip(values[::2], values[1::2])}
    return _decode_scalar(kind, text, frame)


def _decode_scalar(kind, text, frame):
    if kind == b"-":
        return Failure(text.decode())
    if kind == b"$":
        return None if text == b"-1" else frame[len(text) + 3 : -2]
    if kind == b"=":
        return frame[len(text) + 7 : -2]
    if kind == b"!":
        return Failure(frame[len(text) + 3 : -2].decode())
    converters = {
        b"+": bytes.decode,
        b":": int,
        b",": float,
        b"#": lambda t: t == b"t",
        b"_": lambda _: None,
        b"(": int,
    }
    return converters[kind](text)


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value
