"""One thread with one event loop per process, which owns every connection of every layer.

Event loops of an application come and go (async_to_sync makes one per call) and may stall; connections here
outlive them, so nothing leaks with a loop and no session is lost because a consumer was busy. After a fork
the child starts anew: it has neither the thread nor a right to the sockets.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger("sidecar_channels")

forks = 0
"""How many times this process has become another. Cheaper to look at than its number, at each receive."""

EXIT_SECONDS = 2.0
"""How long the end of the interpreter waits for connections to be closed in good order."""

_Settled = tuple["asyncio.Future[Any]", Any, BaseException | None]


class Engine:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.descriptors: set[int] = set()
        """Sockets a forked child must let go of."""
        self._calls: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._called = False
        self._answers: dict[asyncio.AbstractEventLoop, list[_Settled]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closers: set[Callable[[], Coroutine[Any, Any, None]]] = set()
        self.thread = threading.Thread(target=self._run, name="sidecar_channels", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def submit(self, function: Callable[..., None], *args: Any) -> None:
        """From any thread: call it on the engine's, in the order of the calls of one thread."""
        self._calls.append((function, args))
        if not self._called:
            self._called = True
            self.loop.call_soon_threadsafe(self._run_calls)

    def _run_calls(self) -> None:
        self._called = False
        while self._calls:
            function, args = self._calls.popleft()
            try:
                function(*args)
            except Exception:
                logger.exception("sidecar_channels: a call on the engine failed")

    def settle(
        self,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Any],
        result: Any,
        error: BaseException | None,
    ) -> None:
        """On the engine's thread: answers another loop's future; the answers of a turn travel together."""
        if not self._answers:
            self.loop.call_soon(self._send_answers)
        self._answers.setdefault(loop, []).append((future, result, error))

    def _send_answers(self) -> None:
        answers, self._answers = self._answers, {}
        for loop, settled in answers.items():
            with contextlib.suppress(RuntimeError):  # a loop that was closed waits for nothing
                loop.call_soon_threadsafe(_settle_all, settled)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """On the engine's thread: a task that is not collected while it runs."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """spawn() for who does not look at the task."""
        self.spawn(work)

    def at_exit(self, closer: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._closers.add(closer)

    def not_at_exit(self, closer: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._closers.discard(closer)

    def stop(self) -> None:
        """From another thread: closes the connections and ends the thread; waits EXIT_SECONDS at most."""
        if not self.thread.is_alive():
            return
        self.loop.call_soon_threadsafe(lambda: self.spawn(self._finish()))
        self.thread.join(EXIT_SECONDS)

    async def _finish(self) -> None:
        endings = [asyncio.ensure_future(closer()) for closer in list(self._closers)]
        if endings:
            await asyncio.wait(endings, timeout=EXIT_SECONDS / 2)
        self.loop.call_soon(self.loop.stop)


def _settle_all(settled: list[_Settled]) -> None:
    for future, result, error in settled:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


_lock = threading.Lock()
_engine: Engine | None = None
_inherited: list[Engine] = []
"""Engines of parent processes: kept, because collecting them would touch what the parent still uses."""


def current() -> Engine:
    """The engine of this process, started when first needed."""
    global _engine
    with _lock:
        if _engine is None or not _engine.thread.is_alive():
            _engine = Engine()
        return _engine


def _let_go_in_child() -> None:
    """A socket stays open until every copy is closed: the sidecar must see the parent end when it ends."""
    global _engine, _lock, forks
    forks += 1
    _lock = threading.Lock()
    if _engine is None:
        return
    inherited, _engine = _engine, None
    _inherited.append(inherited)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in inherited.descriptors:
        with contextlib.suppress(OSError):
            os.dup2(nowhere, descriptor)
    os.close(nowhere)


@atexit.register
def _stop_at_exit() -> None:
    if _engine is not None:
        _engine.stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
