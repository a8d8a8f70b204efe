"""sidecar_channels.mailbox: queues per channel, capacity, expiry, and waiters that are woken."""

import asyncio

import pytest
from sidecar_channels import mailbox as mailboxes
from sidecar_channels.mailbox import Mailbox, wake


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

    monkeypatch.setattr(mailboxes, "monotonic", lambda: Clock.now)
    return Clock


@pytest.fixture
def box(clock):
    return Mailbox(capacity=lambda channel: 3, expiry_seconds=60)


def put(box, text, *channels):
    woken = []
    box.put(text.encode(), channels, woken)
    return woken


def taken(box, channel):
    parcel = box.take(channel)
    return parcel and parcel.payload.decode()


def test_order_and_emptiness(box):
    put(box, "one", "a")
    put(box, "two", "a")
    assert [taken(box, "a"), taken(box, "a"), taken(box, "a")] == ["one", "two", None]
    assert box.unread() == {}


def test_the_oldest_stay_when_full(box):
    for number in range(5):
        put(box, str(number), "a")
    assert [taken(box, "a") for _ in range(4)] == ["0", "1", "2", None]
    assert box.dropped == 2


def test_a_full_channel_does_not_concern_the_others(box):
    for number in range(5):
        put(box, str(number), "slow", "quick")
        assert taken(box, "quick") == str(number)
    assert box.dropped == 2


def test_held_counts_messages_that_nobody_read(box):
    put(box, "direct", "a")
    put(box, "group", "a", "b", "c")
    assert box.held == 2
    assert taken(box, "b") == "group"
    assert box.held == 1
    assert taken(box, "a") == "direct"
    assert box.held == 0
    assert taken(box, "a") == "group"
    assert box.held == 0


def test_a_message_that_fits_nowhere_is_not_held(box):
    for number in range(3):
        put(box, str(number), "a")
    put(box, "more", "a")
    assert box.held == 3
    put(box, "for nobody")
    assert box.held == 3


def test_expiry(box, clock):
    put(box, "old", "a", "b")
    clock.now += 60.1
    put(box, "new", "a")
    assert taken(box, "b") == "old", "a message may not expire before its time"
    clock.now += 0.5
    assert taken(box, "a") == "new"
    assert box.expired == 1
    assert box.held == 0


def test_what_is_too_old_makes_room(box, clock):
    for number in range(3):
        put(box, str(number), "a")
    clock.now += 61
    put(box, "new", "a")
    assert taken(box, "a") == "new"
    assert (box.dropped, box.expired) == (0, 3)


def test_sweep_forgets_channels_that_nobody_reads(box, clock):
    put(box, "old", "a")
    clock.now += 61
    put(box, "new", "b")
    box.sweep()
    assert list(box.unread()) == ["b"]
    assert box.held == 1


def test_clear(box):
    put(box, "one", "a", "b")
    box.clear()
    assert box.held == 0
    assert taken(box, "a") is None


def test_one_waiter_is_woken_per_message(box):
    async def main():
        loop = asyncio.get_running_loop()
        waiters = [box.take_or_wait("a", loop)[1] for _ in range(3)]
        assert box.waiting("a") == box.waiting() == 3
        assert put(box, "x", "a") == waiters[:1]
        assert box.waiting("a") == 2
        wake(box, waiters[:1])
        await asyncio.wait_for(waiters[0], 5)
        assert not waiters[1].done()

    asyncio.run(main())


def test_a_cancelled_waiter_that_was_woken_passes_it_on(box):
    async def main():
        loop = asyncio.get_running_loop()
        first, second = (box.take_or_wait("a", loop)[1] for _ in range(2))
        put(box, "x", "a")
        assert box.give_up("a", first) is second
        assert box.give_up("a", second) is None
        assert taken(box, "a") == "x"

    asyncio.run(main())


def test_a_cancelled_waiter_that_was_not_woken_is_forgotten(box):
    async def main():
        first, second = (box.take_or_wait("a", asyncio.get_running_loop())[1] for _ in range(2))
        assert box.give_up("a", first) is None
        assert put(box, "x", "a") == [second]

    asyncio.run(main())


def test_the_turn_of_a_waiter_whose_loop_is_closed_goes_to_the_next(box):
    dead = asyncio.new_event_loop()
    gone = box.take_or_wait("a", dead)[1]
    dead.close()

    async def main():
        alive = box.take_or_wait("a", asyncio.get_running_loop())[1]
        assert put(box, "x", "a") == [gone]
        wake(box, [gone])
        await asyncio.wait_for(alive, 5)

    asyncio.run(main())
