"""What a layer has on the engine's thread: its connections, its processes, its memberships.

Lives apart from the layer object, so that a layer that nobody holds any more can end its connections.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from redis.exceptions import ResponseError

from . import engine as engines
from . import protocol
from .capacities import Capacities
from .errors import SidecarUnavailable
from .hosts import Hosts
from .link import Call, Done, Link, Retry
from .mailbox import Mailbox
from .protocol import Command, Limits, Welcome
from .receiver import Process, Pump, Receiver
from .wire import Wire

logger = logging.getLogger("sidecar_channels")

REPORT_SECONDS = 0.05
"""How late the sidecar may learn that there is room again, while there is plenty anyway."""

CONFIRM_SECONDS = 0.1

RETURN_SECONDS = 1.0
"""A message of a normal channel whose receiver left before it came waits this long for another."""

SWEEP_SECONDS = 5.0

MOST_REMEMBERED = 100_000


class Core:
    """One per layer and operating system process. Called on the engine's thread unless noted otherwise."""

    def __init__(
        self,
        hosts: list[dict[str, Any]],
        prefix: str,
        limits: Limits,
        capacities: Capacities,
        capacity: Callable[[str], int],
        seconds: float,
    ) -> None:
        self._forks = engines.forks
        self.client_prefix = uuid.uuid4().hex
        self.engine = engines.current()
        self.max_message = limits.max_message or 0
        """Bytes; what the sidecar said once it has said something."""
        self.hosts = Hosts(hosts)
        self.prefix = prefix
        self.limits = limits
        self.send_seconds = seconds
        self.returned = 0
        self._capacities = capacities
        self._capacity = capacity
        self._scarce = max(1, capacities.least // 2)
        """Messages that may be on their way to being acknowledged without a sender finding no room."""
        self._processes: dict[str, Process] = {}
        self._link: Link | None = None
        self._link_node = ""
        self.receivers: dict[str, Receiver] = {}
        self.pumps: dict[str, Pump] = {}
        self._normal: dict[str, Mailbox] = {}
        self.reporting = False
        """The sidecar will be told soon what was read. Set by whoever sees to it, in any thread."""
        self._report: asyncio.TimerHandle | None = None
        self.scarce_reads = max(1, limits.capacity // 4)
        """So many messages read and not reported, and the sidecar is told at once."""
        self.reading: dict[str, Process] = {}
        """Channels whose names were found good, for those who receive again and again."""
        self._refusal = ""
        self._unsure: set[str] = set()
        """Processes whose last report may have been overtaken."""
        self._open = False
        self._refreshed = 0.0

    def is_ours(self) -> bool:
        """False in a child: what it has inherited is its parent's. From any thread."""
        return self._forks == engines.forks

    @property
    def main(self) -> str:
        return f"specific.{self.client_prefix}"

    def process(self, name: str) -> Process:
        """From any thread."""
        found = self._processes.get(name)
        if found is None:
            fresh = Process(name, Mailbox(self._capacity, self.limits.expiry))
            found = self._processes.setdefault(name, fresh)
        return found

    def processes(self) -> list[Process]:
        return list(self._processes.values())

    def normal(self, channel: str) -> Mailbox:
        """From any thread."""
        found = self._normal.get(channel)
        if found is None:
            found = self._normal.setdefault(channel, Mailbox(lambda _: protocol.BATCH, self.limits.expiry))
        return found

    def reads(self, channel: str) -> Process:
        """From any thread: whose a valid specific channel is. AssertionError if not this layer's."""
        name = channel[: channel.index("!")]
        assert name.endswith(self.client_prefix), "Wrong client prefix"
        if len(self.reading) >= MOST_REMEMBERED:
            self.reading.clear()
        process = self.reading[channel] = self.process(name)
        return process

    def is_mine(self, channel: str) -> bool:
        """From any thread."""
        return f"{self.client_prefix}!" in channel

    def _start(self) -> None:
        if self._open:
            return
        self._open = True
        self._refreshed = self.engine.loop.time()
        self.engine.at_exit(self.close)
        self.engine.loop.call_later(SWEEP_SECONDS, self._sweep)

    # Connections

    async def open_wire(self, process: Process) -> tuple[Wire, Welcome]:
        """A connection that has said CH.HELLO; memberships are registered first if the sidecar lacks them."""
        wire, welcome = await self._connect(process)
        try:
            self.max_message = welcome.max_message or self.max_message
            if welcome.session != process.session:
                await self._register(process, wire)
                process.session = welcome.session
        except BaseException:
            await wire.close()
            raise
        return wire, welcome

    async def _connect(self, process: Process) -> tuple[Wire, Welcome]:
        index, wire = self.hosts.current, None
        try:
            wire = await Wire.open(self.engine, self.hosts)
            welcome = protocol.parse_hello(await wire.ask(self._hello(process)))
        except BaseException as error:
            self.hosts.failed(index, error)
            if wire is not None:
                await wire.close()
            if isinstance(error, ResponseError):
                if str(error) != self._refusal:
                    self._refusal = str(error)
                    logger.warning("sidecar_channels: the sidecar refused this layer: %s", error)
                raise SidecarUnavailable(f"refused by the sidecar: {error}") from error
            raise
        self.hosts.succeeded()
        return wire, welcome

    def _hello(self, process: Process) -> Command:
        capacity = self._capacities.of_process(process.name)
        return protocol.hello(self.prefix, process.name, replace(self.limits, capacity=capacity))

    async def _register(self, process: Process, wire: Wire) -> None:
        process.registering += 1
        try:
            for group, channels in process.memberships.batches():
                await wire.ask(("CH.GADD", group, *channels))
        finally:
            process.registering -= 1
        leaves, process.late_leaves = process.late_leaves, []
        for group, channel in leaves:
            self.ask(("CH.GREM", group, channel), Retry.SAFE, _ignore)

    async def _open_link(self) -> Wire:
        process = self.process(self.main)
        wire, welcome = await self.open_wire(process)
        self._link_node = welcome.node
        receiver = self.receivers.get(self.main)
        if receiver is not None and receiver.node not in ("", welcome.node):
            # The process is at home where it said CH.HELLO last: its receiver must say it again, or follow.
            receiver.drop()
        return wire

    def _opener(self, process: Process) -> Callable[[], Any]:
        return partial(self.open_wire, process)

    def want(self, process: Process) -> None:
        """Somebody receives on a channel of this process name."""
        self._start()
        receiver = self.receivers.get(process.name)
        if receiver is None or receiver.ended:
            self.receivers[process.name] = Receiver(
                self.engine, self._opener(process), process, self.delivered
            )
        process.served = True

    def want_normal(self, channel: str) -> None:
        """Somebody receives on a normal channel."""
        self._start()
        pump = self.pumps.get(channel)
        if pump is None or pump.ended:
            opener = self._opener(self.process(self.main))
            self.pumps[channel] = Pump(self.engine, opener, channel, self.normal(channel))
        else:
            pump.want()

    async def close(self) -> None:
        """Ends every connection. Memberships and what is unread stay; the next use connects again."""
        self._open = False
        self.engine.not_at_exit(self.close)
        tasks = [*self.receivers.values(), *self.pumps.values()]
        for process in self.processes():
            process.served = False
        self.receivers.clear()
        self.pumps.clear()
        link, self._link = self._link, None
        for task in tasks:
            await task.close()
        if link is not None:
            await link.close()

    # Calls

    def send_command(self, channel: str, payload: bytes) -> Command:
        """From any thread."""
        return protocol.send(channel, payload, self._capacities.of_send(channel, self.main))

    def ask(self, command: Command, retry: Retry, done: Done, seconds: float | None = None) -> None:
        self._start()
        if self._link is None:
            self._link = Link(self.engine, self._open_link)
        self.report_held()
        deadline = self.engine.loop.time() + (self.send_seconds if seconds is None else seconds)
        self._link.submit(Call(command, retry, deadline, done))

    def group_add(self, group: str, channel: str, done: Done) -> None:
        if not self.is_mine(channel):
            self.ask(("CH.GADD", group, channel), Retry.SAFE, done)
            return
        process = self.process(channel[: channel.index("!")])
        added = process.memberships.add(group, channel)
        process.active[channel] = self.engine.loop.time()

        def answered(result: Any, error: BaseException | None) -> None:
            if error is not None and added:
                process.memberships.discard(group, channel)
            done(result, error)

        self.ask(("CH.GADD", group, channel), Retry.SAFE, answered)

    def group_discard(self, group: str, channel: str, done: Done) -> None:
        if self.is_mine(channel):
            process = self.process(channel[: channel.index("!")])
            process.memberships.discard(group, channel)
            if process.registering:
                process.late_leaves.append((group, channel))
        self.ask(("CH.GREM", group, channel), Retry.SAFE, done)

    def flush(self, done: Done) -> None:
        def answered(result: Any, error: BaseException | None) -> None:
            if error is None:
                self._forget()
            done(result, error)

        self.ask(("CH.FLUSH",), Retry.SAFE, answered)

    def _forget(self) -> None:
        for process in self.processes():
            process.mailbox.clear()
            process.memberships.clear()
            process.active.clear()
        for mailbox in self._normal.values():
            mailbox.clear()

    # What the application has not read yet

    def taken(self, process: Process) -> None:
        """Messages were read: the sidecar is told at once when room is scarce, a little later otherwise."""
        if process.mailbox.reported - process.mailbox.held >= self.scarce_reads:
            self.report_held()
        self._report_soon()

    def delivered(self) -> None:
        """Most messages are read at once: this looks after it, so that no receiver has to say so."""
        if not self.reporting:
            self._report_soon()

    def _report_soon(self) -> None:
        self.reporting = True
        if self._report is None:
            self._report = self.engine.loop.call_later(REPORT_SECONDS, self._report_later)

    def read_just_now(self, process: str) -> bool:
        """What was read of its messages may not have reached the sidecar yet. From any thread."""
        found = self._processes.get(process)
        return found is not None and (process in self._unsure or found.mailbox.reported > found.mailbox.held)

    def _report_later(self) -> None:
        self._report = None
        self.reporting = False
        self.report_held()

    def report_held(self) -> None:
        if self._link is None:
            if (
                any(process.mailbox.reported > process.mailbox.held for process in self.processes())
                and self._open
            ):
                self._link = Link(self.engine, self._open_link)
            else:
                return
        for process in self.processes():
            behind = process.seen - process.reported_seen
            if process.mailbox.reported > process.mailbox.held or behind >= self._scarce:
                self._tell_held(self._link, process)
                if not self._unsure:
                    self.engine.loop.call_later(CONFIRM_SECONDS, self._confirm_held)
                self._unsure.add(process.name)

    def _tell_held(self, link: Link, process: Process) -> None:
        receiver = self.receivers.get(process.name)
        if receiver is None or receiver.node != self._link_node:
            # Another sidecar would drop unread messages numbered like these. The next CH.RECV says it all.
            return
        held = process.mailbox.reported = process.mailbox.held
        process.reported_seen = process.seen
        deadline = self.engine.loop.time() + self.send_seconds
        command = ("CH.ACK", process.name, process.seen, "HELD", held)
        link.submit(Call(command, Retry.POINTLESS, deadline, _ignore))

    def _confirm_held(self) -> None:
        """A report may overtake the CH.RECV before it, which went another way, and be undone by it."""
        names, self._unsure = self._unsure, set()
        if self._link is not None:
            for name in names:
                self._tell_held(self._link, self.process(name))

    def left_over(self, channel: str) -> None:
        """A receiver of a normal channel was cancelled after a message had come for it."""
        self.engine.loop.call_later(RETURN_SECONDS, self._give_back, channel)

    def _give_back(self, channel: str) -> None:
        mailbox = self.normal(channel)
        while not mailbox.waiting(channel):
            parcel = mailbox.take(channel)
            if parcel is None:
                return
            self.returned += 1
            self.ask(self.send_command(channel, parcel.payload), Retry.NEVER, _ignore)

    # Housekeeping

    def _sweep(self) -> None:
        if not self._open:
            return
        for process in self.processes():
            process.mailbox.sweep()
        now = self.engine.loop.time()
        if now - self._refreshed >= self.limits.group_expiry / 4:
            self._refreshed = now
            for process in self.processes():
                self._refresh(process, now)
        self.report_held()
        self.engine.loop.call_later(SWEEP_SECONDS, self._sweep)

    def _refresh(self, process: Process, now: float) -> None:
        """Members whose channel is in use stay members; others go after the layer's group_expiry."""
        for channel in process.memberships.channels():
            if process.mailbox.waiting(channel):
                process.active[channel] = now
            elif now - process.active.setdefault(channel, now) > self.limits.group_expiry:
                process.memberships.discard_channel(channel)
        members = set(process.memberships.channels())
        process.active = {channel: at for channel, at in process.active.items() if channel in members}
        for group, channels in process.memberships.batches():
            self.ask(("CH.GADD", group, *channels), Retry.SAFE, _ignore)


def _ignore(result: Any, error: BaseException | None) -> None:
    if error is not None:
        logger.debug("sidecar_channels: %s", error)


def shut(core: Core) -> None:
    """From any thread: a layer that nobody holds any more."""
    if core.is_ours():
        core.engine.submit(lambda: core.engine.start(core.close()))


__all__ = ["Core", "shut"]
