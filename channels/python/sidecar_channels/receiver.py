"""What reads messages off the wire: a receiver per process name, a pump per normal channel.

The wire belongs to these tasks of the engine, never to a caller that may be cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from . import protocol
from .backoff import Backoff
from .engine import Engine
from .mailbox import Mailbox, Waiter, wake
from .memberships import Memberships
from .protocol import Direct, Entry, Flushed, Membership, ToGroup, Welcome
from .wire import LOST, Wire

logger = logging.getLogger("sidecar_channels")

ANSWER_SECONDS = protocol.BLOCK_MS / 1000 + 5.0
LINGER_SECONDS = 10.0
"""How long the connection of a normal channel is kept while nobody waits on the channel."""


class Process:
    """What a layer knows under one process name (the part of its channels' names before the `!`)."""

    def __init__(self, name: str, mailbox: Mailbox) -> None:
        self.name = name
        self.mailbox = mailbox
        self.memberships = Memberships()
        self.session: str | None = None
        """The sidecar's session that knows all memberships."""
        self.registering = 0
        self.late_leaves: list[tuple[str, str]] = []
        """Left while memberships were being registered anew: to be left once more."""
        self.active: dict[str, float] = {}
        """Channel in groups → when it was last seen in use, in seconds of the engine's loop."""
        self.seen = 0
        self.reported_seen = 0
        """What was acknowledged on the command connection, ahead of what is sent there next."""
        self.epoch = ""
        self.duplicates = 0
        self.served = False
        """A receiver is at work."""

    def adopt(self, welcome: Welcome) -> None:
        """Sequence numbers of another epoch start anew."""
        if welcome.epoch != self.epoch:
            self.epoch = welcome.epoch
            self.seen = self.reported_seen = 0

    def deliver(self, entries: list[Entry]) -> list[Waiter]:
        """Into the queues; what was seen before is dropped. Returns who is to be woken."""
        woken: list[Waiter] = []
        for entry in entries:
            if entry.seq <= self.seen:
                self.duplicates += 1
                continue
            self.seen = entry.seq
            self._deliver_one(entry, woken)
        return woken

    def _deliver_one(self, entry: Entry, woken: list[Waiter]) -> None:
        if isinstance(entry, Direct):
            self.mailbox.put(entry.payload, (entry.channel,), woken)
        elif isinstance(entry, ToGroup):
            members = self.memberships.members(entry.group)
            if entry.excluded:
                members = [channel for channel in members if channel not in entry.excluded]
            self.mailbox.put(entry.payload, members, woken)
        elif isinstance(entry, Membership):
            if entry.joined:
                self.memberships.add(entry.group, entry.channel)
            else:
                self.memberships.discard(entry.group, entry.channel)
        elif isinstance(entry, Flushed):
            self.mailbox.clear()
            self.memberships.clear()


Opener = Callable[[], Awaitable[tuple[Wire, Welcome]]]


class _Task:
    """A loop over connections: open, serve until lost, wait, again."""

    def __init__(self, engine: Engine, open_wire: Opener) -> None:
        self._engine = engine
        self._open = open_wire
        self._serving: asyncio.Task[None] | None = None
        self._dropping = False
        self._backoff = Backoff()
        self.ended = False
        self.node = ""
        self._task = engine.spawn(self._run())

    async def _run(self) -> None:
        try:
            while await self._once():
                await asyncio.sleep(self._backoff.next_seconds())
        finally:
            self.ended = True
            self.on_end()

    async def _once(self) -> bool:
        """False when there is no more to do."""
        wire: Wire | None = None
        self._dropping = False  # a drop may have met a connection that was ending by itself
        try:
            wire, welcome = await self._open()
            self.on_open(welcome)
            self.node = welcome.node
            self._backoff.reset()
            self._serving = self._engine.spawn(self._serve(wire, welcome))
            await self._serving
            return False
        except LOST as error:
            logger.info("sidecar_channels: receiving was interrupted: %s", error)
            return True
        except asyncio.CancelledError:
            if not self._dropping:
                raise
            self._dropping = False
            return True
        finally:
            self.node = ""
            if self._serving is not None:
                self._serving.cancel()
                self._serving = None
            if wire is not None:
                await wire.close()

    async def _serve(self, wire: Wire, welcome: Welcome) -> None:
        raise NotImplementedError

    def on_open(self, welcome: Welcome) -> None:
        """There is a connection."""

    def on_end(self) -> None:
        """There is nothing left to read, or it was closed."""

    def drop(self) -> None:
        """Ends the connection; a new one is made."""
        if self._serving is not None and not self._dropping:
            self._dropping = True
            self._serving.cancel()

    async def close(self) -> None:
        self._dropping = False
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await self._task


class Receiver(_Task):
    """Keeps one CH.RECV of a process under way, and acknowledges by the next what has reached its mailbox."""

    def __init__(
        self, engine: Engine, open_wire: Opener, process: Process, delivered: Callable[[], None]
    ) -> None:
        self.process = process
        self._delivered = delivered
        super().__init__(engine, open_wire)
        process.served = True

    def on_open(self, welcome: Welcome) -> None:
        self.process.adopt(welcome)

    def on_end(self) -> None:
        self.process.served = False

    async def _serve(self, wire: Wire, welcome: Welcome) -> None:
        process, mailbox = self.process, self.process.mailbox

        def receive() -> None:
            held = mailbox.reported = mailbox.held
            wire.put(protocol.receive(process.name, process.seen, held))

        def take(reply: Any) -> None:
            woken = process.deliver(protocol.parse_entries(reply))
            receive()
            if woken:
                self._delivered()
                wake(mailbox, woken)  # last: from here on this thread only hinders those who were woken

        receive()
        await wire.listen(take, ANSWER_SECONDS)


class Pump(_Task):
    """Fetches messages of a normal channel: never more than there are receivers waiting here."""

    def __init__(self, engine: Engine, open_wire: Opener, channel: str, mailbox: Mailbox) -> None:
        self.channel = channel
        self.mailbox = mailbox
        self._wanted = asyncio.Event()
        super().__init__(engine, open_wire)

    def want(self) -> None:
        self._wanted.set()

    async def _serve(self, wire: Wire, welcome: Welcome) -> None:
        while True:
            count = self.mailbox.waiting(self.channel)
            if not count:
                self._wanted.clear()
                if self.mailbox.waiting(self.channel):
                    continue
                try:
                    async with asyncio.timeout(LINGER_SECONDS):
                        await self._wanted.wait()
                except TimeoutError:
                    return
                continue
            command = protocol.receive(self.channel, 0, None, min(count, protocol.BATCH))
            entries = protocol.parse_entries(await wire.ask(command, ANSWER_SECONDS))
            woken: list[Waiter] = []
            for entry in entries:
                if isinstance(entry, Direct):
                    self.mailbox.put(entry.payload, (self.channel,), woken)
            wake(self.mailbox, woken)
