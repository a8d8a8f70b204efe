"""A receive that is cancelled loses nothing and doubles nothing, whenever it is cancelled."""

import asyncio
import random
import time

import pytest
from channels.exceptions import ChannelFull

from layer.python_layers import receive, receives_nothing, run

CANCELS = 1000


@pytest.fixture
def scenario(site):
    return lambda body: run(body, site.url())


async def send_until_it_fits(layer, channel, message):
    while True:
        try:
            return await layer.send(channel, message)
        except ChannelFull:
            await asyncio.sleep(0.001)


async def receive_with_cancels(layer, channels, cancels, expected, chance, sending):
    """Receives on the channels; each attempt is cancelled at a random moment until that has been done often
    enough, then none: on a slow machine nothing comes that fast. Returns what came, in order, and how many
    receives were cancelled."""
    got, done = {channel: [] for channel in channels}, 0
    deadline = time.monotonic() + 40
    while sum(map(len, got.values())) < expected or done < cancels:
        if sending.done():
            sending.result()
        assert time.monotonic() < deadline, f"{done} cancelled, {layer.stats()}, got {got}"
        each = expected // len(channels)
        channel = chance.choice([c for c in channels if done < cancels or len(got[c]) < each])
        task = asyncio.ensure_future(layer.receive(channel))
        soon = chance.choice((0, 0, chance.random() * 0.002))
        await asyncio.wait({task}, timeout=soon if done < cancels else deadline - time.monotonic())
        task.cancel()
        try:
            got[channel].append((await task)["n"])
        except asyncio.CancelledError:
            done += 1
    return got, done


@pytest.mark.parametrize("kind", ["specific", "normal"])
def test_raced_cancels(scenario, kind):
    async def body(layers):
        chance = random.Random(7)
        sender, reader = layers(capacity=50, expiry=60), layers(capacity=50, expiry=60)
        channels = [await reader.new_channel() for _ in range(3)] if kind == "specific" else ["jobs"]
        each = CANCELS // len(channels)

        async def send():
            for n in range(each):
                for channel in channels:
                    await send_until_it_fits(sender, channel, {"n": n})
                if n % 7 == 0:
                    await asyncio.sleep(0.002 * chance.random())

        sending = asyncio.ensure_future(send())
        got, cancelled = await receive_with_cancels(
            reader, channels, CANCELS, each * len(channels), chance, sending
        )
        await sending
        assert cancelled >= CANCELS
        for channel in channels:
            # What a receiver of a normal channel left behind goes back, behind what has come since.
            in_order = got[channel] if kind == "specific" else sorted(got[channel])
            assert in_order == list(range(each))
            await receives_nothing(reader, channel)

    scenario(body)


def test_cancelled_receives_do_not_use_up_capacity(scenario):
    async def body(layers):
        layer = layers(capacity=30)
        channel = await layer.new_channel()
        for attempt in range(100):
            task = asyncio.ensure_future(layer.receive(channel))
            await asyncio.sleep(attempt * 0.0001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        for n in range(30):
            await layer.send(channel, {"n": n})
        with pytest.raises(ChannelFull):
            await layer.send(channel, {"n": 30})
        for n in range(30):
            assert await receive(layer, channel) == {"n": n}

    scenario(body)


def test_a_message_of_a_normal_channel_whose_receiver_left_goes_to_another(scenario):
    async def body(layers):
        leaver, stayer, sender = layers(), layers(), layers()
        leaving = asyncio.ensure_future(leaver.receive("jobs"))
        await asyncio.sleep(
            0.2
        )  # its receive is at the sidecar by then, most likely; either way the test holds
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        await sender.send("jobs", {"n": 1})
        assert await receive(stayer, "jobs") == {"n": 1}

    scenario(body)


def test_consumers_that_come_and_go(scenario):
    async def body(layers):
        chance = random.Random(3)
        sender, reader = layers(capacity=1000), layers(capacity=1000, expiry=60)
        stable = await reader.new_channel()
        await reader.group_add("g", stable)
        got = []

        async def read():
            while len(got) < 300:
                got.append((await reader.receive(stable))["n"])

        async def come_and_go():
            channel = await reader.new_channel()
            await reader.group_add("g", channel)
            task = asyncio.ensure_future(reader.receive(channel))
            await asyncio.sleep(chance.random() * 0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await reader.group_discard("g", channel)

        reading = asyncio.ensure_future(read())
        for n in range(300):
            await sender.group_send("g", {"n": n})
            if n % 3 == 0:
                await come_and_go()
        await asyncio.wait_for(reading, 20)
        assert got == list(range(300))
        assert await reader.group_count("g") == 1

    scenario(body)
