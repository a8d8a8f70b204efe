"""What the calls beyond the Channels specification return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class GroupSent:
    """What became of one group message. `delivered` are members whose process has it queued."""

    members: int
    delivered: int
    dropped_capacity: int
    """Members whose process was full."""
    dropped_slow: int
    nodes: int
    """Sidecars that took part."""
    offset: int
    """Its place in the group's history; 0 without history."""
    epoch: str
    """Which history the offset belongs to; empty without history."""

    @property
    def position(self) -> str:
        """To be given to `group_history(since=...)`."""
        return f"{self.epoch}:{self.offset}" if self.epoch else ""


@dataclass(frozen=True)
class GroupHistory:
    """Kept messages of a group. `recovered`: nothing between the asked position and the top is missing."""

    epoch: str
    top_offset: int
    recovered: bool
    items: list[tuple[int, Any]]
    """(offset, message), oldest first; empty unless recovered."""

    @property
    def position(self) -> str:
        return f"{self.epoch}:{self.top_offset}"


@dataclass(frozen=True)
class GroupMembers:
    """One page of members. `cursor` "0": the last page."""

    cursor: str
    channels: list[str]
