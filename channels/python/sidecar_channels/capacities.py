"""The `channel_capacity` option as rules of CH.HELLO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Rule = tuple[str, str, int]
"""Kind ("glob" or "regex"), pattern, capacity."""


def capacity_rules(channel_capacity: Mapping[Any, int]) -> tuple[Rule, ...]:
    """In the order in which they apply: the first that fits a name counts."""
    return tuple(_rule(pattern, capacity) for pattern, capacity in channel_capacity.items())


def _rule(pattern: Any, capacity: int) -> Rule:
    if hasattr(pattern, "match"):
        return "regex", pattern.pattern, capacity
    return "glob", str(pattern).replace("[!", "[^"), capacity
