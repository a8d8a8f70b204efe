"""Polling inside an event loop, where `support.eventually` would stop everything else."""

import asyncio
import time


async def becomes_true(condition, seconds=10, message=None):
    """condition may be a function or a coroutine function; returns its first truthy value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, message or f"not true within {seconds} s: last value {value!r}"
        await asyncio.sleep(0.01)
