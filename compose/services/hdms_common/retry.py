"""Exponential backoff with jitter, so that many who lost the same server do not come back in step."""

import random
import time

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 2.0


def backoff_delay(failures, first=FIRST_SECONDS, longest=LONGEST_SECONDS):
    """How long to wait after so many failures in a row: between half and all of the doubled delay."""
    full = min(longest, first * 2 ** min(failures - 1, 16))
    return full * random.uniform(0.5, 1.0)


def retried(call, may_retry, seconds, sleep=time.sleep, clock=time.monotonic):
    """The result of call(); again after a delay while may_retry(error) and the time allows."""
    deadline = clock() + seconds
    failures = 0
    while True:
        try:
            return call()
        except Exception as error:
            failures += 1
            delay = backoff_delay(failures)
            if not may_retry(error) or clock() + delay > deadline:
                raise
        sleep(delay)
