"""The CH.* commands as tuples, and their replies as values. No sockets here.

A reply may come in RESP2 (maps are flat arrays) or in RESP3 (real maps).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from channels.exceptions import ChannelFull, MessageTooLarge

from .capacities import Rule
from .errors import OutcomeUnknown, SidecarRefused, SidecarUnavailable
from .results import GroupHistory, GroupMembers, GroupSent

Word = str | bytes | int
Command = tuple[Word, ...]

BATCH = 100
"""Messages per CH.RECV."""

BLOCK_MS = 4500
"""Longest wait of one CH.RECV, in milliseconds: the most the sidecar grants."""


@dataclass(frozen=True)
class Limits:
    """What a layer tells the sidecar about itself: seconds, messages, bytes. None: the sidecar's default."""

    expiry: int = 60
    group_expiry: int = 86400
    capacity: int = 100
    channel_limit: int = 0
    rules: tuple[Rule, ...] = ()
    grace: int | None = None
    max_message: int | None = None

    def words(self) -> Iterable[Word]:
        yield from ("EXPIRY", self.expiry, "GEXPIRY", self.group_expiry, "CAP", self.capacity)
        if self.channel_limit:
            yield from ("CHCAP", self.channel_limit)
        for glob, capacity in self.rules:
            yield from ("CAPRULE", "glob", glob, capacity)
        if self.grace is not None:
            yield from ("GRACE", self.grace)
        if self.max_message is not None:
            yield from ("MAXMSG", self.max_message)


@dataclass(frozen=True)
class Welcome:
    """The answer to CH.HELLO. Another `session` than before: the sidecar has forgotten the process."""

    node: str
    session: str
    epoch: str
    max_message: int


class Direct(NamedTuple):
    seq: int
    channel: str
    payload: bytes


class ToGroup(NamedTuple):
    seq: int
    group: str
    payload: bytes
    excluded: frozenset[str]


class Membership(NamedTuple):
    """Somebody else changed a membership of a channel of this process."""

    seq: int
    channel: str
    group: str
    joined: bool


class Flushed(NamedTuple):
    """The layer was flushed: whatever is queued or a member here is gone."""

    seq: int


Entry = Direct | ToGroup | Membership | Flushed


def hello(prefix: str, process: str, limits: Limits) -> Command:
    return ("CH.HELLO", prefix, process, *limits.words())


def send(channel: str, payload: bytes, capacity: int | None = None) -> Command:
    """CH.SEND. capacity: what the channel may hold, when that is not what CH.HELLO says."""
    words = ("CH.SEND", channel, payload)
    return words if capacity is None else (*words, "CAP", capacity)


def receive(target: str, ack: int, held: int | None, count: int = BATCH, block_ms: int = BLOCK_MS) -> Command:
    """CH.RECV. ack 0: nothing to acknowledge. held None: a normal channel, which has no such thing."""
    words: list[Word] = ["CH.RECV", target]
    if ack:
        words += ["ACK", ack]
    if held is not None:
        words += ["HELD", held]
    return (*words, "COUNT", count, "BLOCK", block_ms)


def group_send(
    group: str,
    payload: bytes,
    exclude: Sequence[str] = (),
    key: str | None = None,
    history: tuple[int, int] | None = None,
    stats: bool = False,
) -> Command:
    """CH.GSEND. history: (messages kept, seconds kept)."""
    words: list[Word] = ["CH.GSEND", group, payload]
    if exclude:
        words += ["EXCEPT", len(exclude), *exclude]
    if key is not None:
        words += ["ID", key]
    if history is not None:
        words += ["HIST", *history]
    if stats:
        words.append("STATS")
    return tuple(words)


def text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def fields(reply: Any) -> dict[str, Any]:
    """A map of either protocol version, with its names as str."""
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2])
    return {text(name): value for name, value in pairs}


def parse_hello(reply: Any) -> Welcome:
    found = fields(reply)
    return Welcome(
        node=text(found["node"]),
        session=text(found["session"]),
        epoch=text(found.get("epoch", "")),
        max_message=int(found.get("max_message", 0)),
    )


def parse_entry(item: Sequence[Any]) -> Entry:
    if len(item) == 3:
        return Direct(int(item[0]), text(item[1]), item[2])
    seq, channel, payload, group, more = item
    if payload is not None:
        return ToGroup(int(seq), text(group), payload, frozenset(map(text, more or ())))
    if not channel:
        return Flushed(int(seq))
    return Membership(int(seq), text(channel), text(group), int(more) == 1)


def parse_entries(reply: Any) -> list[Entry]:
    return [parse_entry(item) for item in reply or ()]


def parse_group_sent(reply: Any) -> GroupSent:
    found = fields(reply)
    numbers = ("members", "delivered", "dropped_capacity", "dropped_slow", "nodes", "offset")
    return GroupSent(
        **{name: int(found.get(name) or 0) for name in numbers}, epoch=text(found.get("epoch") or "")
    )


def parse_history(reply: Any) -> GroupHistory:
    epoch, top, recovered, items = reply
    kept = [(int(offset), payload) for offset, payload in items or ()]
    return GroupHistory(text(epoch), int(top), int(recovered) == 1, kept)


def parse_members(reply: Any) -> GroupMembers:
    cursor, channels = reply
    return GroupMembers(text(cursor), [text(channel) for channel in channels])


def translate(error: BaseException, what: str) -> Exception:
    """The exception an application knows for an error reply of the sidecar."""
    words = str(error)
    prefix = re.match(r"[A-Z]*", words)
    kind = prefix.group() if prefix else ""
    if kind == "CHANNELFULL":
        full: Exception = ChannelFull(words)
        return full
    if kind == "MSGTOOLARGE":
        large: Exception = MessageTooLarge(words)
        return large
    if kind == "BADNAME":
        return TypeError(words)
    if kind == "UNAVAILABLE":
        return SidecarUnavailable(f"{what}: {words}")
    if kind == "UNKNOWN":
        return OutcomeUnknown(f"{what}: {words}")
    return SidecarRefused(f"{what}: {words}")
