"""Which channels of this process are in which groups: what a group message is fanned out by."""

from __future__ import annotations

from collections.abc import Iterator

REGISTER_BATCH = 500
"""Channels per CH.GADD when all are registered anew."""


class Memberships:
    """Groups and channels both ways round. Members of a group keep the order in which they joined."""

    def __init__(self) -> None:
        self._members: dict[str, dict[str, None]] = {}
        self._groups: dict[str, set[str]] = {}

    def add(self, group: str, channel: str) -> bool:
        """True when it is new."""
        members = self._members.setdefault(group, {})
        if channel in members:
            return False
        members[channel] = None
        self._groups.setdefault(channel, set()).add(group)
        return True

    def discard(self, group: str, channel: str) -> bool:
        """True when it was a member."""
        members = self._members.get(group)
        if members is None or channel not in members:
            return False
        del members[channel]
        if not members:
            del self._members[group]
        groups = self._groups[channel]
        groups.discard(group)
        if not groups:
            del self._groups[channel]
        return True

    def discard_channel(self, channel: str) -> list[str]:
        """Out of every group; the groups it was in."""
        groups = sorted(self._groups.get(channel, ()))
        for group in groups:
            self.discard(group, channel)
        return groups

    def members(self, group: str) -> list[str]:
        return list(self._members.get(group, ()))

    def channels(self) -> list[str]:
        return list(self._groups)

    def clear(self) -> None:
        self._members.clear()
        self._groups.clear()

    def __len__(self) -> int:
        return sum(map(len, self._members.values()))

    def batches(self) -> Iterator[tuple[str, list[str]]]:
        """(group, some of its channels) until all are told."""
        for group, members in list(self._members.items()):
            channels = list(members)
            for start in range(0, len(channels), REGISTER_BATCH):
                yield group, channels[start : start + REGISTER_BATCH]
