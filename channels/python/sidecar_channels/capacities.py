"""The `channel_capacity` option: the first entry that matches a channel's non-local name decides.

Globs are rules of CH.HELLO, and the sidecar applies them. It has no regexes: a table with a compiled one is
applied here, entry by entry, and what comes out goes with each CH.SEND.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rule = tuple[str, int]
"""Glob, capacity."""

MOST_REMEMBERED = 10_000
"""Non-local names whose capacity is kept."""


class Capacities:
    """compiled: the same table with every pattern as an object with `match`. From any thread."""

    def __init__(self, table: Mapping[Any, int], compiled: Sequence[tuple[Any, int]], default: int) -> None:
        self._compiled = compiled
        self._default = default
        self._decides = any(hasattr(pattern, "match") for pattern in table)
        self._known: dict[str, int] = {}
        self.least = min([default, *table.values()])
        self.rules: tuple[Rule, ...] = ()
        """What CH.HELLO says beside its CAP."""
        if not self._decides:
            self.rules = tuple((_glob(pattern), most) for pattern, most in table.items())

    def of_process(self, process: str) -> int:
        """CAP in the CH.HELLO of a process."""
        return self._of(f"{process}!") if self._decides else self._default

    def of_send(self, channel: str, process: str) -> int | None:
        """CAP in a CH.SEND over a connection of a process; None if what its CH.HELLO says will do."""
        if not self._decides:
            return None
        name, local, _ = channel.partition("!")
        capacity = self._of(name + local)
        return capacity if capacity != self.of_process(process) else None

    def _of(self, name: str) -> int:
        found = self._known.get(name)
        if found is None:
            found = next((most for pattern, most in self._compiled if pattern.match(name)), self._default)
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[name] = found
        return found


def _glob(pattern: Any) -> str:
    return str(pattern).replace("[!", "[^")
