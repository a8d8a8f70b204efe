"""The command connection of a layer: many calls in flight, replies in order, reconnected when lost.

Everything here runs on the engine's thread. A call that was written and not answered when the connection
ended is asked again only if twice does no more than once.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import ResponseError

from .backoff import Backoff
from .engine import Engine
from .errors import OutcomeUnknown, SidecarUnavailable
from .protocol import Command, translate
from .wire import LOST, Wire

logger = logging.getLogger("sidecar_channels")

MOST_IN_FLIGHT = 1000
MOST_PENDING = 20_000
TICK_SECONDS = 0.1
AGAIN_SECONDS = 0.05
"""Between a refusal for want of Redis and the next attempt of the same call."""


class Retry(enum.Enum):
    SAFE = "twice does no more than once"
    NEVER = "its outcome is unknown when the answer was lost"
    POINTLESS = "what it says is said again by others"


Done = Callable[[Any, BaseException | None], None]


class Call:
    """`done` is called exactly once, with a result or an error."""

    __slots__ = ("command", "deadline", "done", "retry")

    def __init__(self, command: Command, retry: Retry, deadline: float, done: Done) -> None:
        self.command = command
        self.retry = retry
        self.deadline = deadline
        self.done = done

    def fail(self, error: BaseException) -> None:
        self.done(None, error)

    @property
    def name(self) -> str:
        return str(self.command[0])


class Link:
    def __init__(self, engine: Engine, open_wire: Callable[[], Awaitable[Wire]]) -> None:
        self._engine = engine
        self._open = open_wire
        self._pending: deque[Call] = deque()
        self._flying: deque[Call] = deque()
        self._wanted = asyncio.Event()
        self._backoff = Backoff()
        self._dropped: asyncio.Future[None] | None = None
        self._ticking = False
        self._closed = False
        self._why: BaseException = SidecarUnavailable("no connection yet")
        self.reconnects = 0
        self._task = engine.spawn(self._run())

    def submit(self, call: Call) -> None:
        if len(self._pending) >= MOST_PENDING:
            call.fail(SidecarUnavailable(f"{call.name}: {MOST_PENDING} calls are waiting already"))
            return
        self._pending.append(call)
        self._wake()

    def drop(self, why: BaseException) -> None:
        """Ends the connection; a new one is made."""
        if self._dropped is not None and not self._dropped.done():
            self._dropped.set_exception(why)

    async def close(self) -> None:
        """Fails what waits, ends the connection."""
        self._closed = True
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await self._task
        for call in (*self._flying, *self._pending):
            call.fail(SidecarUnavailable(f"{call.name}: the layer was closed"))
        self._flying.clear()
        self._pending.clear()

    def _wake(self) -> None:
        self._wanted.set()
        if not self._ticking:
            self._ticking = True
            self._engine.loop.call_later(TICK_SECONDS, self._tick)

    async def _run(self) -> None:
        while not self._closed:
            wire: Wire | None = None
            try:
                wire = await self._open()
                self._backoff.reset()
                self._forget_pointless()
                await self._serve(wire)
            except LOST as error:
                self._why = error
            except SidecarUnavailable as error:
                self._why = error
            finally:
                if wire is not None:
                    await wire.close()
                self._sort_out()
            self.reconnects += 1
            logger.info("sidecar_channels: connection lost or not made: %s", self._why)
            await asyncio.sleep(self._backoff.next_seconds())

    async def _serve(self, wire: Wire) -> None:
        self._dropped = self._engine.loop.create_future()
        self._wanted.set()
        halves = [asyncio.ensure_future(half) for half in (self._write(wire), self._read(wire))]
        try:
            done, _ = await asyncio.wait({*halves, self._dropped}, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()
        finally:
            for half in halves:
                half.cancel()
            await asyncio.gather(*halves, return_exceptions=True)
            if self._dropped.done():
                self._dropped.exception()
            self._dropped = None

    async def _write(self, wire: Wire) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            batch = []
            while self._pending and len(self._flying) < MOST_IN_FLIGHT:
                call = self._pending.popleft()
                self._flying.append(call)
                batch.append(call.command)
            if batch:
                await wire.write(batch)

    async def _read(self, wire: Wire) -> None:
        while True:
            result: Any = None
            error: ResponseError | None = None
            try:
                result = await wire.read()
            except ResponseError as refusal:
                error = refusal
            if not self._flying:
                raise SidecarUnavailable("a reply that nobody asked for")
            call = self._flying.popleft()
            if self._pending:
                self._wanted.set()
            if error is None:
                call.done(result, None)
            else:
                self._refused(call, error)

    def _refused(self, call: Call, error: ResponseError) -> None:
        words = str(error)
        if words.startswith("NOHELLO") and call.retry is not Retry.POINTLESS:
            self._pending.appendleft(call)
            self.drop(SidecarUnavailable(words))
            return
        again = words.startswith("UNAVAILABLE") or (words.startswith("UNKNOWN") and call.retry is Retry.SAFE)
        if again and self._engine.loop.time() + AGAIN_SECONDS < call.deadline and not self._closed:
            self._engine.loop.call_later(AGAIN_SECONDS, self.submit, call)
            return
        call.fail(translate(error, call.name))

    def _sort_out(self) -> None:
        """After the end of a connection: what may be asked again goes to the front, the rest is told."""
        flying, self._flying = self._flying, deque()
        again = []
        for call in flying:
            if call.retry is Retry.SAFE:
                again.append(call)
            else:
                call.fail(
                    OutcomeUnknown(f"{call.name}: the connection ended before the answer came: {self._why}")
                )
        self._pending.extendleft(reversed(again))

    def _forget_pointless(self) -> None:
        """Of before this connection: numbers of messages acknowledged to a sidecar that may count anew."""
        waiting, self._pending = self._pending, deque()
        for call in waiting:
            if call.retry is Retry.POINTLESS:
                call.fail(SidecarUnavailable(f"{call.name}: meant for an earlier connection"))
            else:
                self._pending.append(call)

    def _tick(self) -> None:
        now = self._engine.loop.time()
        if self._pending:
            waiting, self._pending = self._pending, deque()
            for call in waiting:
                if call.deadline <= now:
                    call.fail(SidecarUnavailable(f"{call.name}: no sidecar within the time: {self._why}"))
                else:
                    self._pending.append(call)
        if self._flying and self._flying[0].deadline <= now:
            self.drop(SidecarUnavailable(f"{self._flying[0].name}: no answer in time"))
        self._ticking = bool(self._pending or self._flying)
        if self._ticking:
            self._engine.loop.call_later(TICK_SECONDS, self._tick)
