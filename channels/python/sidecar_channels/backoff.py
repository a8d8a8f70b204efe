"""How long to wait before the next attempt to reach the sidecar."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_SECONDS = 0.01
MOST_SECONDS = 1.0


_chance = random.SystemRandom().random
"""Not the application's random numbers, which it may have seeded."""


class Backoff:
    """Doubles from 10 ms to 1 s; somewhere in the upper half each time, lest many processes march in step."""

    def __init__(self, chance: Callable[[], float] = _chance) -> None:
        self._chance = chance
        self._limit = FIRST_SECONDS

    def next_seconds(self) -> float:
        limit = self._limit
        self._limit = min(limit * 2, MOST_SECONDS)
        return limit * (0.5 + self._chance() / 2)

    def reset(self) -> None:
        self._limit = FIRST_SECONDS
