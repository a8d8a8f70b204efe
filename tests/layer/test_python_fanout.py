"""A group message crosses to a process once; members are served here, and a slow one delays nobody."""

import asyncio

import pytest

from clients.waiting import becomes_true
from layer.python_layers import receive, receives_nothing, run

MEMBERS = 10_000


@pytest.fixture
def scenario(site):
    return lambda body: run(body, site.url())


def from_redis(site):
    info = site.redis.command("INFO", "stats").decode()
    fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    return int(fields["total_net_output_bytes"]) + int(fields["total_net_input_bytes"])


async def join(layer, group, count):
    channels = [await layer.new_channel() for _ in range(count)]
    for start in range(0, count, 500):
        await asyncio.gather(*(layer.group_add(group, channel) for channel in channels[start : start + 500]))
    return channels


def test_ten_thousand_members_in_one_process(scenario, site):
    async def body(layers):
        layer, sender = layers(capacity=100, send_timeout=30, expiry=60), layers(send_timeout=30)
        channels = await join(layer, "g", MEMBERS)
        assert await sender.group_count("g") == MEMBERS
        tasks = [asyncio.ensure_future(layer.receive(channel)) for channel in channels]
        await receives_nothing(layer, await layer.new_channel())
        before = from_redis(site)
        sent = await sender.group_send("g", {"text": "x" * 100}, stats=True)
        assert sent.members == sent.delivered == MEMBERS
        messages = await asyncio.wait_for(asyncio.gather(*tasks), 30)
        assert all(message == {"text": "x" * 100} for message in messages)
        assert from_redis(site) - before < 50_000, "what goes through Redis does not grow with the members"

    scenario(body)


def test_a_consumer_that_does_not_read_does_not_starve_the_others(scenario):
    async def body(layers):
        layer, sender = layers(capacity=10, expiry=60), layers()
        slow, *quick = await join(layer, "g", 5)
        for n in range(100):
            await sender.group_send("g", {"n": n})
            for channel in quick:
                assert await receive(layer, channel) == {"n": n}
        assert layer.stats()["held"] <= 10
        assert layer.stats()["dropped"] == 90
        for n in range(10):
            assert await receive(layer, slow) == {"n": n}
        await receives_nothing(layer, slow)

    scenario(body)


def test_a_process_that_reads_nothing_is_bounded(scenario):
    async def body(layers):
        layer, sender = layers(capacity=10, expiry=60), layers()
        channels = await join(layer, "g", 20)
        probe = await layer.new_channel()
        await receives_nothing(layer, probe)
        for n in range(50):
            await sender.group_send("g", {"n": n})
        await becomes_true(lambda: layer.stats()["held"] == 10)
        for channel in channels:
            for n in range(10):
                assert await receive(layer, channel) == {"n": n}
        assert layer.stats()["held"] == 0

    scenario(body)


def test_order_per_sender(scenario):
    async def body(layers):
        layer = layers(capacity=1000, expiry=60)
        senders = [layers() for _ in range(4)]
        (channel,) = await join(layer, "g", 1)

        async def send(number, sender):
            for n in range(50):
                await sender.group_send("g", {"who": number, "n": n})

        await asyncio.gather(*(send(number, sender) for number, sender in enumerate(senders)))
        got = {}
        for _ in range(200):
            message = await receive(layer, channel)
            got.setdefault(message["who"], []).append(message["n"])
        assert got == {number: list(range(50)) for number in range(4)}

    scenario(body)
