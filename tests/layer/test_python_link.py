"""sidecar_channels.link: calls in flight over connections that come and go. No sidecar: wires of the test."""

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from sidecar_channels import OutcomeUnknown, SidecarRefused, SidecarUnavailable
from sidecar_channels.link import MOST_PENDING, Call, Link, Retry

from clients.waiting import becomes_true


class Engine:
    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.spawn = self.loop.create_task


class Wire:
    """Takes what is written, and gives the replies that the test puts in."""

    def __init__(self):
        self.written = []
        self.replies = asyncio.Queue()
        self.closed = False

    async def write(self, commands):
        if self.closed:
            raise RedisConnectionError("closed")
        self.written.extend(commands)

    async def read(self):
        reply = await self.replies.get()
        if isinstance(reply, BaseException):
            raise reply
        return reply

    async def close(self):
        self.closed = True

    def answer(self, *replies):
        for reply in replies:
            self.replies.put_nowait(reply)

    def cut(self):
        self.answer(RedisConnectionError("cut"))


class Rig:
    """A link; `wires` are the connections it has made. It gets none while `away`."""

    def __init__(self):
        self.wires = []
        self.away = False
        self.link = Link(Engine(), self.open)

    async def open(self):
        if self.away:
            raise RedisConnectionError("nobody there")
        self.wires.append(Wire())
        return self.wires[-1]

    def ask(self, *command, retry=Retry.SAFE, seconds=5.0):
        future = self.link._engine.loop.create_future()

        def done(result, error):
            assert not future.done(), "answered twice"
            future.set_exception(error) if error else future.set_result(result)

        self.link.submit(Call(command, retry, self.link._engine.loop.time() + seconds, done))
        return future

    async def wire(self, number, *written):
        """The connection of that number once those commands were written to it."""
        await becomes_true(
            lambda: len(self.wires) > number and self.wires[number].written == [*map(tuple, written)]
        )
        return self.wires[number]


def scenario(body):
    def test():
        async def main():
            rig = Rig()
            try:
                await asyncio.wait_for(body(rig), 30)
            finally:
                await rig.link.close()

        asyncio.run(main())

    return test


@scenario
async def test_replies_find_their_calls_in_order(rig):
    calls = [rig.ask("A", n) for n in range(3)]
    wire = await rig.wire(0, ("A", 0), ("A", 1), ("A", 2))
    wire.answer("zero", ResponseError("what"), "two")
    assert await calls[0] == "zero"
    with pytest.raises(SidecarRefused, match="A: what"):
        await calls[1]
    assert await calls[2] == "two"


@scenario
async def test_what_is_safe_is_asked_again_in_order_and_the_rest_is_unknown(rig):
    first, write, second = rig.ask("A"), rig.ask("W", retry=Retry.NEVER), rig.ask("B")
    (await rig.wire(0, ("A",), ("W",), ("B",))).cut()
    with pytest.raises(OutcomeUnknown):
        await write
    wire = await rig.wire(1, ("A",), ("B",))
    wire.answer("a", "b")
    assert [await first, await second] == ["a", "b"]
    assert rig.wires[0].closed


@scenario
async def test_what_was_not_written_waits_for_the_next_connection(rig):
    rig.away = True
    (await rig.wire(0)).cut()
    await becomes_true(lambda: rig.wires[0].closed)
    write = rig.ask("W", retry=Retry.NEVER)
    rig.away = False
    (await rig.wire(1, ("W",))).answer("fine")
    assert await write == "fine"


@scenario
async def test_a_call_waits_no_longer_than_its_time(rig):
    rig.away = True
    (await rig.wire(0)).cut()
    begun = asyncio.get_running_loop().time()
    with pytest.raises(SidecarUnavailable, match=r"nobody there|cut"):
        await rig.ask("A", seconds=0.3)
    assert asyncio.get_running_loop().time() - begun >= 0.3


@scenario
async def test_what_concerned_an_earlier_connection_is_not_said_on_the_next(rig):
    rig.away = True
    (await rig.wire(0)).cut()
    await becomes_true(lambda: rig.wires[0].closed)
    stale = rig.ask("ACK", 7, retry=Retry.POINTLESS)
    kept = rig.ask("A")
    rig.away = False
    (await rig.wire(1, ("A",))).answer("a")
    assert await kept == "a"
    with pytest.raises(SidecarUnavailable):
        await stale


@scenario
async def test_a_connection_that_does_not_answer_is_left(rig):
    silent, patient = rig.ask("A", retry=Retry.NEVER, seconds=0.3), rig.ask("B", seconds=10)
    await rig.wire(0, ("A",), ("B",))
    with pytest.raises(OutcomeUnknown):
        await silent
    (await rig.wire(1, ("B",))).answer("b")
    assert await patient == "b"


@scenario
async def test_without_redis_a_call_is_tried_until_its_time_is_over(rig):
    lucky = rig.ask("A", retry=Retry.NEVER)
    wire = await rig.wire(0, ("A",))
    wire.answer(ResponseError("UNAVAILABLE Redis"))
    await rig.wire(0, ("A",), ("A",))
    wire.answer("a")
    assert await lucky == "a"
    unlucky = rig.ask("B", seconds=0.2)
    while not unlucky.done():
        if rig.link._flying:
            wire.answer(ResponseError("UNAVAILABLE Redis"))
        await asyncio.sleep(0.01)
    with pytest.raises(SidecarUnavailable):
        await unlucky


@scenario
async def test_an_unknown_outcome_is_tried_again_only_if_safe(rig):
    safe, write = rig.ask("A"), rig.ask("W", retry=Retry.NEVER)
    wire = await rig.wire(0, ("A",), ("W",))
    wire.answer(ResponseError("UNKNOWN Redis"), ResponseError("UNKNOWN Redis"))
    with pytest.raises(OutcomeUnknown):
        await write
    await rig.wire(0, ("A",), ("W",), ("A",))
    wire.answer("a")
    assert await safe == "a"


@scenario
async def test_a_sidecar_that_knows_us_no_more_is_greeted_again(rig):
    write = rig.ask("W", retry=Retry.NEVER)
    (await rig.wire(0, ("W",))).answer(ResponseError("NOHELLO say CH.HELLO first"))
    (await rig.wire(1, ("W",))).answer("done")
    assert await write == "done"


@scenario
async def test_a_report_that_comes_too_late_disturbs_nothing(rig):
    report = rig.ask("CH.ACK", retry=Retry.POINTLESS)
    wire = await rig.wire(0, ("CH.ACK",))
    wire.answer(ResponseError("NOHELLO not at home here"))
    with pytest.raises(SidecarRefused):
        await report
    assert len(rig.wires) == 1


@scenario
async def test_a_reply_that_nobody_asked_for_ends_the_connection(rig):
    (await rig.wire(0)).answer("surprise")
    await rig.wire(1)


@scenario
async def test_the_backlog_is_bounded(rig):
    rig.away = True
    (await rig.wire(0)).cut()
    await becomes_true(lambda: rig.wires[0].closed)
    waiting = [rig.ask("A", n) for n in range(MOST_PENDING)]
    with pytest.raises(SidecarUnavailable, match="waiting already"):
        await rig.ask("one more")
    await rig.link.close()
    for call in waiting:
        with pytest.raises(SidecarUnavailable, match="closed"):
            await call
