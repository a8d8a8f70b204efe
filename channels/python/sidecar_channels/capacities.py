"""The `channel_capacity` option as rules of CH.HELLO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def capacity_rules(channel_capacity: Mapping[Any, int]) -> tuple[tuple[str, str, int], ...]:
    """(kind, pattern, capacity) in the order in which they apply: the first that fits a name counts."""
    return tuple(
        ("regex", pattern.pattern, capacity)
        if hasattr(pattern, "match")
        else ("glob", str(pattern), capacity)
        for pattern, capacity in channel_capacity.items()
    )
