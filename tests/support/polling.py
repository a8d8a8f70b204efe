"""Waiting for something to become true, never for time to pass."""

import os
import time

# How much slower than a plain build on a quiet machine: set by ./dev for sanitizer builds.
SLACK = float(os.environ.get("SIDECAR_TEST_SLACK", "1"))


def slack(seconds):
    """An upper bound, of time or memory, as wide as this build and machine need."""
    return seconds * SLACK


def eventually(condition, seconds=5.0, interval=0.01, message=None):
    """Returns the first truthy value of condition(); fails when there is none within the deadline."""
    deadline = time.monotonic() + slack(seconds)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(message or f"not true within {seconds} s: last value {value!r}")
        time.sleep(interval)


def stays(condition, seconds=0.3, interval=0.02, message=None):
    """Fails as soon as condition() is false: for what must not happen while we look."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), message or "stopped being true"
        time.sleep(interval)
