"""What has arrived for the channels of one process and was not read yet, and who waits for it.

A waiter is only woken: the message stays in its queue until a receiver that is certainly running takes it, so
a cancelled receive can lose nothing. Entered from the engine's thread and the application's: one lock.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic

EXPIRY_SLACK_SECONDS = 0.5
"""The age of a message is known to within its way here, and none may expire early."""


class Parcel:
    """One message off the wire, shared by the queues of all channels it is for."""

    __slots__ = ("arrived", "copies", "payload", "plain", "unread")

    def __init__(self, payload: bytes, arrived: float) -> None:
        self.payload = payload
        self.plain: bytes | None = None
        """The payload decrypted, once somebody needed it."""
        self.arrived = arrived
        self.copies = 0
        self.unread = True


Waiter = asyncio.Future[None]
"""Of a receiver: woken when it is done, and no longer in its slot from when that was decided."""


class Slot:
    """One channel."""

    __slots__ = ("parcels", "waiters")

    def __init__(self) -> None:
        self.parcels: deque[Parcel] = deque()
        self.waiters: deque[Waiter] = deque()


class Mailbox:
    """Queues bounded per channel: what exceeds the capacity is dropped and the older messages stay."""

    def __init__(self, capacity: Callable[[str], int], expiry_seconds: float) -> None:
        self.lock = threading.Lock()
        self.held = 0
        """Messages of which nobody has read a copy yet: they count against the capacity of the process."""
        self.reported = 0
        """What the sidecar believes `held` to be."""
        self.dropped = 0
        """Copies refused because their channel was full."""
        self.expired = 0
        self._capacity = capacity
        self._lifetime = expiry_seconds + EXPIRY_SLACK_SECONDS
        self._slots: dict[str, Slot] = {}

    def put(self, payload: bytes, channels: Iterable[str], woken: list[Waiter]) -> None:
        """A copy into each channel's queue; waiters to be woken are appended to `woken`."""
        slots = self._slots
        with self.lock:
            parcel = Parcel(payload, monotonic())
            copies = 0
            for channel in channels:
                slot = slots.get(channel)
                if slot is None:
                    slot = slots[channel] = Slot()
                elif slot.parcels and not self._has_room(slot, channel):
                    self.dropped += 1
                    continue
                slot.parcels.append(parcel)
                copies += 1
                if slot.waiters:
                    woken.append(slot.waiters.popleft())
            if copies:
                parcel.copies = copies
                self.held += 1

    def take(self, channel: str) -> Parcel | None:
        """The oldest message of the channel, if there is one."""
        with self.lock:
            return self._take(channel)

    def take_or_wait(
        self, channel: str, loop: asyncio.AbstractEventLoop
    ) -> tuple[Parcel | None, Waiter | None]:
        """A message, or a waiter to await before asking again."""
        with self.lock:
            slot = self._slots.get(channel)
            if slot is None:
                slot = self._slots[channel] = Slot()
            elif slot.parcels:
                parcel = self._take_from(slot)
                if parcel is not None:
                    return parcel, None
            waiter = loop.create_future()
            slot.waiters.append(waiter)
            return None, waiter

    def give_up(self, channel: str, waiter: Waiter) -> Waiter | None:
        """A waiter was cancelled. If it had been woken, the one to wake in its place."""
        with self.lock:
            slot = self._slots.get(channel)
            if slot is None:
                return None
            if waiter in slot.waiters:
                slot.waiters.remove(waiter)
                self._forget_if_idle(channel, slot)
                return None
            if slot.parcels and slot.waiters:
                return slot.waiters.popleft()
            return None

    def heirs(self) -> list[Waiter]:
        """To be woken when others never will be: one for each message there. Too many do no harm."""
        with self.lock:
            return [
                slot.waiters.popleft()
                for slot in self._slots.values()
                for _ in range(min(len(slot.parcels), len(slot.waiters)))
            ]

    def sweep(self) -> None:
        """Drops what is too old in queues that nobody reads, and queues that are not used."""
        with self.lock:
            limit = monotonic() - self._lifetime
            for channel, slot in list(self._slots.items()):
                self._expire(slot, limit)
                self._forget_if_idle(channel, slot)

    def clear(self) -> None:
        """Forgets every message; who waits goes on waiting."""
        with self.lock:
            for channel, slot in list(self._slots.items()):
                while slot.parcels:
                    self._discard(slot.parcels.popleft())
                self._forget_if_idle(channel, slot)

    def waiting(self, channel: str | None = None) -> int:
        """Receivers that wait: of one channel, or of all."""
        with self.lock:
            if channel is not None:
                slot = self._slots.get(channel)
                return len(slot.waiters) if slot else 0
            return sum(len(slot.waiters) for slot in self._slots.values())

    def unread(self) -> dict[str, list[Parcel]]:
        """Channel → what its queue holds, for those that hold something."""
        with self.lock:
            return {channel: list(slot.parcels) for channel, slot in self._slots.items() if slot.parcels}

    def _take(self, channel: str) -> Parcel | None:
        slot = self._slots.get(channel)
        return self._take_from(slot) if slot is not None and slot.parcels else None

    def _take_from(self, slot: Slot) -> Parcel | None:
        """Of a slot that holds something."""
        limit = monotonic() - self._lifetime
        if slot.parcels[0].arrived < limit:
            self._expire(slot, limit)
            if not slot.parcels:
                return None
        parcel = slot.parcels.popleft()
        parcel.copies -= 1
        if parcel.unread:
            parcel.unread = False
            self.held -= 1
        return parcel

    def _expire(self, slot: Slot, limit: float) -> None:
        while slot.parcels and slot.parcels[0].arrived < limit:
            self._discard(slot.parcels.popleft())
            self.expired += 1

    def _has_room(self, slot: Slot, channel: str) -> bool:
        capacity = self._capacity(channel)
        if len(slot.parcels) >= capacity:
            self._expire(slot, monotonic() - self._lifetime)
        return len(slot.parcels) < capacity

    def _discard(self, parcel: Parcel) -> None:
        """A copy that nobody has read."""
        parcel.copies -= 1
        if parcel.unread and not parcel.copies:
            parcel.unread = False
            self.held -= 1

    def _forget_if_idle(self, channel: str, slot: Slot) -> None:
        if not slot.parcels and not slot.waiters:
            del self._slots[channel]


def _resolve(waiters: list[Waiter]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)


def wake(mailbox: Mailbox, waiters: list[Waiter]) -> None:
    """One call into each loop, however many waiters it has. A loop that is closed passes its turns on."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Waiter]] = {}
    for waiter in waiters:
        by_loop.setdefault(waiter.get_loop(), []).append(waiter)
    for loop, mine in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, mine)
        except RuntimeError:
            wake(mailbox, mailbox.heirs())
