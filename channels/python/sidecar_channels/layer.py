"""SidecarChannelLayer: what Channels calls. It asks the layer's core on the engine's thread and waits."""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from channels.exceptions import ChannelFull, MessageTooLarge
from channels.layers import BaseChannelLayer

from . import protocol
from .capacities import Capacities
from .core import Core, shut
from .hosts import decode_hosts
from .link import Retry
from .mailbox import Parcel, wake
from .results import GroupHistory, GroupMembers, GroupSent
from .serializers import registry

logger = logging.getLogger("sidecar_channels")

OVERTAKEN_SECONDS = (0.005, 0.02, 0.1, 0.1)
"""Between tries of a send that found no room where something was read just now."""

PAGE = 1000
"""Members per CH.GMEMBERS when all are asked for."""


class SidecarChannelLayer(BaseChannelLayer):  # type: ignore[misc]
    """A channel layer kept by Sidecar; takes the options of channels_redis' RedisChannelLayer.

    hosts: URLs, (host, port) pairs or dicts of redis-py's keywords; several are sidecars of one layer, the
    next one being used when one fails. expiry, group_expiry: seconds. capacity: unread messages per process
    name. channel_capacity: glob or compiled regex → capacity. symmetric_encryption_keys: the first encrypts,
    all decrypt. channel_limit: unread messages of one channel within its process, 0 for no such limit. grace:
    seconds a process may be away before its memberships end. max_message: bytes. send_timeout: seconds a call
    waits for a sidecar.
    """

    extensions = ["groups", "flush"]  # noqa: RUF012
    ChannelFull = ChannelFull
    MessageTooLarge = MessageTooLarge

    def __init__(
        self,
        hosts: Sequence[Any] | None = None,
        prefix: str = "asgi",
        expiry: int = 60,
        group_expiry: int = 86400,
        capacity: int = 100,
        channel_capacity: dict[Any, int] | None = None,
        symmetric_encryption_keys: Sequence[str | bytes] | None = None,
        random_prefix_length: int = 0,
        serializer_format: str = "msgpack",
        channel_limit: int = 0,
        grace: int | None = None,
        max_message: int | None = None,
        send_timeout: float = 5.0,
    ) -> None:
        assert isinstance(prefix, str), "prefix must be a str"
        self.expiry = expiry
        self.group_expiry = group_expiry
        self.capacity = capacity
        self.channel_capacity = self.compile_capacities(channel_capacity or {})
        self.prefix = prefix
        self.hosts = decode_hosts(hosts)
        self.ring_size = len(self.hosts)
        self.send_timeout = send_timeout
        self._capacities = Capacities(channel_capacity or {}, self.channel_capacity, capacity)
        self._limits = protocol.Limits(
            expiry=expiry,
            group_expiry=group_expiry,
            capacity=capacity,
            channel_limit=channel_limit,
            rules=self._capacities.rules,
            grace=grace,
            max_message=max_message,
        )
        self._channel_limit = channel_limit
        self._serializer = registry.get_serializer(
            serializer_format,
            random_prefix_length=random_prefix_length,
            expiry=expiry,
            symmetric_encryption_keys=symmetric_encryption_keys,
        )
        self._local_capacity = _local_capacity(self.channel_capacity, capacity, channel_limit)
        self._opens = hasattr(self._serializer, "open")
        self._decode = self._serializer.from_bytes if self._opens else self._serializer.deserialize
        self._lock = threading.Lock()
        self._kept: Core | None = None

    # The Channels specification

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Queues the message. Raises ChannelFull, MessageTooLarge, TypeError (name), SidecarUnavailable."""
        assert isinstance(message, dict), "message is not a dict"
        self._check_channel(channel)
        command = self._core.send_command(channel, self._payload(message))
        for pause in (*OVERTAKEN_SECONDS, None):
            try:
                await self._ask(command, Retry.NEVER)
                return
            except ChannelFull:
                if pause is None or not self._core.read_just_now(channel.partition("!")[0]):
                    raise
                await asyncio.sleep(pause)

    async def receive(self, channel: str) -> Any:
        """The next message of the channel; waits for it, also while no sidecar can be reached."""
        core = self._kept
        if core is None or not core.is_ours():
            core = self._make_core()
        process = core.reading.get(channel)
        if process is None:
            self._check_channel(channel)
            if "!" not in channel:
                return await self._receive_normal(core, channel)
            process = core.reads(channel)
        mailbox = process.mailbox
        loop = asyncio.get_running_loop()
        while True:
            if not process.served:
                core.engine.submit(core.want, process)
            parcel, waiter = mailbox.take_or_wait(channel, loop)
            if waiter is None:
                break
            try:
                await waiter
            except BaseException:
                core.reading.pop(channel, None)
                heir = mailbox.give_up(channel, waiter)
                if heir is not None:
                    wake(mailbox, [heir])
                raise
        assert parcel is not None
        unreported = mailbox.reported - mailbox.held
        if unreported > 0 and (not core.reporting or unreported == core.scarce_reads):
            core.reporting = True
            core.engine.submit(core.taken, process)
        plain = parcel.plain
        return self._open(parcel) if plain is None else self._decode(plain)

    async def _receive_normal(self, core: Core, channel: str) -> Any:
        mailbox = core.normal(channel)
        loop = asyncio.get_running_loop()
        while True:
            parcel, waiter = mailbox.take_or_wait(channel, loop)
            if waiter is None:
                break
            core.engine.submit(core.want_normal, channel)
            try:
                await waiter
            except BaseException:
                heir = mailbox.give_up(channel, waiter)
                if heir is not None:
                    wake(mailbox, [heir])
                core.engine.submit(core.left_over, channel)
                raise
        assert parcel is not None
        return self._open(parcel)

    async def new_channel(self, prefix: str = "specific") -> str:
        """A name that only this layer object receives on."""
        return f"{prefix}.{self._core.client_prefix}!{uuid.uuid4().hex}"

    async def group_add(self, group: str, channel: str) -> None:
        """Raises TypeError for a bad name, SidecarUnavailable."""
        self._check_group(group)
        self._check_channel(channel)
        core = self._core
        await self._call(core, core.group_add, group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Does nothing for who is no member."""
        self._check_group(group)
        self._check_channel(channel)
        core = self._core
        await self._call(core, core.group_discard, group, channel)

    async def group_send(
        self,
        group: str,
        message: Any,
        *,
        exclude: str | Iterable[str] = (),
        stats: bool = False,
        history: tuple[int, int] | None = None,
        key: str | None = None,
    ) -> GroupSent | None:
        """To every member; members that are full go without.

        exclude: channels that shall not get it. stats: return what became of it. history: (messages, seconds)
        the group keeps. key: names this message, so that it is sent again after a lost connection, once only.
        """
        self._check_group(group)
        excluded = [exclude] if isinstance(exclude, str) else list(exclude)
        for channel in excluded:
            self._check_channel(channel)
        command = protocol.group_send(group, self._payload(message), excluded, key, history, stats)
        reply = await self._ask(command, Retry.NEVER if key is None else Retry.SAFE)
        if not stats:
            return None
        sent = protocol.parse_group_sent(reply)
        if sent.dropped_capacity:
            logger.info(
                "%s of %s channels over capacity in group %s", sent.dropped_capacity, sent.members, group
            )
        return sent

    async def flush(self) -> None:
        """Forgets every message and membership of the layer, in every process; returns when that is so."""
        core = self._core
        await self._call(core, core.flush)

    # Beyond it

    async def group_count(self, group: str) -> int:
        """How many channels are members, in all processes."""
        self._check_group(group)
        return int(await self._ask(("CH.GCOUNT", group), Retry.SAFE))

    async def group_members(self, group: str) -> list[str]:
        """All members, page by page; who joins or leaves meanwhile may be missing or there."""
        found: dict[str, None] = {}
        page = await self.group_members_page(group)
        found.update(dict.fromkeys(page.channels))
        while page.cursor != "0":
            page = await self.group_members_page(group, page.cursor)
            found.update(dict.fromkeys(page.channels))
        return list(found)

    async def group_members_page(self, group: str, cursor: str = "0", count: int = PAGE) -> GroupMembers:
        """Some members from a cursor on; the returned cursor is "0" when there are no more."""
        self._check_group(group)
        words = ("CH.GMEMBERS", group, "CURSOR", cursor, "COUNT", count)
        return protocol.parse_members(await self._ask(words, Retry.SAFE))

    async def group_history(self, group: str, since: str | None = None, limit: int = 100) -> GroupHistory:
        """Messages sent with history= after a position; none and recovered False if any of them is gone."""
        self._check_group(group)
        where = ("SINCE", since) if since else ()
        found = protocol.parse_history(
            await self._ask(("CH.HIST", group, *where, "LIMIT", limit), Retry.SAFE)
        )
        items = [(offset, self.deserialize(payload)) for offset, payload in found.items]
        return GroupHistory(found.epoch, found.top_offset, found.recovered, items)

    async def close_pools(self) -> None:
        """Ends the layer's connections; the next call makes new ones. Memberships survive if that is soon."""
        core = self._kept
        if core is None or not core.is_ours():
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def begin() -> None:
            task = core.engine.spawn(core.close())
            task.add_done_callback(lambda _: core.engine.settle(loop, future, None, None))

        core.engine.submit(begin)
        await future

    async def close(self) -> None:
        """The same under its common name."""
        await self.close_pools()

    def stats(self) -> dict[str, int]:
        """Counters of this process: held (unread messages), dropped and expired copies, and so on."""
        core = self._core
        processes = core.processes()
        return {
            "held": sum(each.mailbox.held for each in processes),
            "dropped": sum(each.mailbox.dropped for each in processes),
            "expired": sum(each.mailbox.expired for each in processes),
            "duplicates": sum(each.duplicates for each in processes),
            "memberships": sum(len(each.memberships) for each in processes),
            "returned": core.returned,
        }

    @property
    def client_prefix(self) -> str:
        """What the names of this process's channels carry; another after a fork."""
        return self._core.client_prefix

    @property
    def receive_buffer(self) -> dict[str, list[bytes]]:
        """Channel → payloads that have arrived here and were not read."""
        return {
            channel: [parcel.payload for parcel in parcels]
            for process in self._core.processes()
            for channel, parcels in process.mailbox.unread().items()
        }

    def serialize(self, message: Any) -> bytes:
        packed: bytes = self._serializer.serialize(message)
        return packed

    def deserialize(self, message: bytes) -> Any:
        return self._serializer.deserialize(message)

    def __str__(self) -> str:
        return f"{type(self).__name__}(hosts={self.hosts})"

    # Ways to the core

    @property
    def _core(self) -> Core:
        core = self._kept
        if core is not None and core.is_ours():
            return core
        return self._make_core()

    def _make_core(self) -> Core:
        if self._kept is not None:
            self._lock = threading.Lock()  # a fork may have copied it locked
        with self._lock:
            if self._kept is None or not self._kept.is_ours():
                self._kept = Core(
                    self.hosts,
                    self.prefix,
                    self._limits,
                    self._capacities,
                    self._local_capacity,
                    self.send_timeout,
                )
                weakref.finalize(self, shut, self._kept).atexit = False
            return self._kept

    async def _ask(self, command: protocol.Command, retry: Retry) -> Any:
        core = self._core
        return await self._call(core, core.ask, command, retry)

    async def _call(self, core: Core, function: Callable[..., None], *args: Any) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def done(result: Any, error: BaseException | None) -> None:
            core.engine.settle(loop, future, result, error)

        core.engine.submit(function, *args, done)
        return await future

    def _payload(self, message: Any) -> bytes:
        payload = self.serialize(message)
        most = self._core.max_message
        if most and len(payload) > most:
            raise MessageTooLarge(f"{len(payload)} bytes, {most} at most")
        return payload

    def _open(self, parcel: Parcel) -> Any:
        """A message of the receiver's own; what goes before is done once for all who get it."""
        if not self._opens:
            return self._decode(parcel.payload)
        plain = parcel.plain
        if plain is None:
            plain = parcel.plain = self._serializer.open(parcel.payload)
        return self._decode(plain)

    def _check_channel(self, name: str) -> None:
        check = getattr(self, "require_valid_channel_name", None) or self.valid_channel_name
        assert check(name), "Channel name not valid"

    def _check_group(self, name: str) -> None:
        check = getattr(self, "require_valid_group_name", None) or self.valid_group_name
        assert check(name), "Group name not valid"

    def _group_key(self, group: str) -> bytes:
        return f"{self.prefix}:group:{group}".encode()


def _local_capacity(rules: list[tuple[Any, int]], default: int, limit: int) -> Callable[[str], int]:
    """A channel's bound within its process. Holds no layer, which could then never be collected."""

    def capacity(channel: str) -> int:
        found = next((most for pattern, most in rules if pattern.match(channel)), default)
        return min(found, limit) if limit else found

    return capacity
