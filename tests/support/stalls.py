"""How long the machine itself kept us waiting: subtracted where a test measures others by the clock."""

import threading
import time

TICK_SECONDS = 0.005
NOTICED_SECONDS = 0.02  # lateness below that is ordinary


class Stalls:
    """A thread that only wakes up, and notes by how much it woke too late."""

    def __init__(self):
        self._late = []  # (when, seconds)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()

    def _run(self):
        before = time.monotonic()
        while not self._stopping.wait(TICK_SECONDS):
            now = time.monotonic()
            late = now - before - TICK_SECONDS
            if late > NOTICED_SECONDS:
                self._late.append((now, late))
            before = now

    def between(self, begin, end):
        return sum(late for when, late in self._late if begin < when < end + TICK_SECONDS)
