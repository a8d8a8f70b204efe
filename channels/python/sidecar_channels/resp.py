"""The wire format of commands and replies (RESP2 and RESP3), away from any socket.

redis-py makes the connection; from then on one reply here is one step for all that has arrived, where its
parser in Python awaits every line. hiredis is used where it is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from redis.exceptions import InvalidResponse

try:
    import hiredis
except ImportError:
    hiredis = None

from .protocol import Command

MORE: Any = object()
"""In place of a reply: it has not arrived as a whole."""


ParseError = Callable[[str], BaseException]
"""Words of an error reply to what redis-py would raise."""


class Reader(Protocol):
    """Bytes in, whole replies out. Pushes of RESP3 are passed over: nobody here asks for any."""

    def feed(self, data: bytes) -> None: ...

    def gets(self) -> Any:
        """MORE when there is none; an error reply is returned, not raised. Raises InvalidResponse."""


def make_reader(parse_error: ParseError) -> Reader:
    return PythonReader(parse_error) if hiredis is None else HiredisReader(parse_error)


def pack(commands: Iterable[Command]) -> bytes:
    parts: list[bytes] = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        for word in command:
            raw = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


class HiredisReader:
    def __init__(self, parse_error: ParseError) -> None:
        # Its usual mark for "not yet", False, is a reply of RESP3.
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=parse_error, notEnoughData=MORE
        )
        self._push = getattr(hiredis, "PushNotification", ())
        self.feed = self._reader.feed

    def gets(self) -> Any:
        while True:
            reply = self._reader.gets()
            if not isinstance(reply, self._push):
                return reply


_ARRAY, _MAP, _SET, _PUSH, _ATTRIBUTE = b"*%~>|"
_BULK, _VERBATIM, _LONG_ERROR = b"$=!"
_SIMPLE, _ERROR, _INTEGER, _BIG, _DOUBLE, _TRUTH, _NULL = b"+-:(,#_"
_AGGREGATES = frozenset((_ARRAY, _MAP, _SET, _PUSH, _ATTRIBUTE))
_BULKS = frozenset((_BULK, _VERBATIM, _LONG_ERROR))


class PythonReader:
    """Takes nothing apart twice, however a reply is cut: what has begun lies on a stack."""

    def __init__(self, parse_error: ParseError) -> None:
        self._parse_error = parse_error
        self._chunks: list[bytes] = []
        self._fed = 0
        """Bytes in the chunks."""
        self._buffer = b""
        self._at = 0
        self._need = 0
        """Bytes that must be there before another look is worth while."""
        self._begun: list[tuple[int, int, list[Any]]] = []
        """Kind, how many values, those that have come."""

    def feed(self, data: bytes) -> None:
        self._chunks.append(data)
        self._fed += len(data)

    def gets(self) -> Any:
        if self._chunks and not self._gather():
            return MORE
        begun = self._begun
        while True:
            value = self._next()
            if value is MORE:
                return MORE
            while begun:
                kind, count, items = begun[-1]
                items.append(value)
                if len(items) < count:
                    break
                begun.pop()
                if kind in (_PUSH, _ATTRIBUTE):
                    break
                value = dict(zip(items[::2], items[1::2])) if kind == _MAP else items
            else:
                return value

    def _gather(self) -> bool:
        """What was fed joins what is left; False while that is known to be too little."""
        left = len(self._buffer) - self._at
        if left + self._fed < self._need:
            return False
        if left or len(self._chunks) > 1:
            self._buffer = b"".join((self._buffer[self._at :], *self._chunks))
        else:
            self._buffer = self._chunks[0]
        self._chunks.clear()
        self._at = self._fed = self._need = 0
        return True

    def _next(self) -> Any:
        """The next value that is no aggregate with something in it; those begin on the stack."""
        buffer = self._buffer
        while True:
            begin = self._at
            end = buffer.find(b"\r\n", begin)
            if end < 0:
                self._need = len(buffer) - begin + 1
                return MORE
            kind = buffer[begin]
            self._at = after = end + 2
            if kind in _BULKS:
                size = int(buffer[begin + 1 : end])
                if size < 0:
                    return None
                if len(buffer) < after + size + 2:
                    self._at, self._need = begin, after + size + 2 - begin
                    return MORE
                self._at = after + size + 2
                return self._of_bulk(kind, buffer[after : after + size])
            line = buffer[begin + 1 : end]
            if kind not in _AGGREGATES:
                return self._of_line(kind, line)
            count = int(line)
            if count < 0:
                return None
            if kind in (_MAP, _ATTRIBUTE):
                count *= 2
            if count:
                self._begun.append((kind, count, []))
            elif kind != _PUSH and kind != _ATTRIBUTE:
                return {} if kind == _MAP else []

    def _of_bulk(self, kind: int, data: bytes) -> Any:
        if kind == _BULK:
            return data
        return data[4:] if kind == _VERBATIM else self._parse_error(data.decode("utf-8", "replace"))

    def _of_line(self, kind: int, line: bytes) -> Any:
        if kind in (_INTEGER, _BIG):
            return int(line)
        if kind == _SIMPLE:
            return line
        if kind == _NULL:
            return None
        if kind == _ERROR:
            return self._parse_error(line.decode("utf-8", "replace"))
        if kind == _TRUTH:
            return line == b"t"
        if kind == _DOUBLE:
            return float(line)
        raise InvalidResponse(f"no reply begins with {chr(kind)!r}")
