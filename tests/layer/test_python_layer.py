"""SidecarChannelLayer against the sidecar: what the suite of channels_redis demands of its core layer."""

import asyncio
import random
import re

import pytest
from channels.exceptions import ChannelFull, MessageTooLarge

from clients.waiting import becomes_true
from layer.python_layers import numbers, receive, receives_nothing, run


@pytest.fixture
def scenario(site):
    return lambda body: run(body, site.url())


def test_a_message_to_a_specific_channel(scenario):
    async def body(layers):
        layer = layers()
        channel = await layer.new_channel()
        message = {"type": "test", "text": "ä", "blob": b"\x00\xff", "list": [1, None, 2.5, True]}
        await layer.send(channel, message)
        assert await receive(layer, channel) == message

    scenario(body)


def test_normal_channels_are_queues(scenario):
    async def body(layers):
        sender, reader = layers(), layers()
        for n in range(3):
            await sender.send("jobs", {"n": n})
        assert await numbers(reader, "jobs", 3) == [0, 1, 2]

    scenario(body)


def test_each_message_of_a_normal_channel_has_one_reader(scenario):
    async def body(layers):
        readers = [layers(capacity=100) for _ in range(3)]
        got = []

        async def read(layer):
            while True:
                got.append((await layer.receive("jobs"))["n"])

        tasks = [asyncio.ensure_future(read(layer)) for layer in readers for _ in range(2)]
        sender = layers(capacity=100)
        for n in range(60):
            await sender.send("jobs", {"n": n})
        await becomes_true(lambda: len(got) >= 60)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert sorted(got) == list(range(60))

    scenario(body)


def test_capacity_of_a_channel_that_nobody_ever_read(scenario):
    async def body(layers):
        sender, reader = layers(), layers()
        channel = await reader.new_channel()
        for n in range(3):
            await sender.send(channel, {"n": n})
        with pytest.raises(ChannelFull):
            await sender.send(channel, {"n": 3})
        assert await numbers(reader, channel, 3) == [0, 1, 2]

    scenario(body)


def test_capacity_counts_what_has_arrived_and_was_not_read(scenario):
    async def body(layers):
        layer = layers()
        channel, other = await layer.new_channel(), await layer.new_channel()
        await layer.send(other, {"type": "begin"})
        await receive(layer, other)
        for n in range(3):
            await layer.send(channel, {"n": n})
        await becomes_true(lambda: layer.stats()["held"] == 3)
        with pytest.raises(ChannelFull):
            await layer.send(other, {"n": 3})
        for n in range(20):
            assert (await receive(layer, channel))["n"] == n
            await layer.send(channel, {"n": n + 3})

    scenario(body)


def test_room_is_told_to_other_senders(scenario):
    async def body(layers):
        sender, reader = layers(), layers()
        channel = await reader.new_channel()
        for n in range(3):
            await sender.send(channel, {"n": n})
        assert await numbers(reader, channel, 3) == [0, 1, 2]

        async def fits():
            try:
                await sender.send(channel, {"n": 3})
            except ChannelFull:
                return False
            return True

        await becomes_true(fits, seconds=2)

    scenario(body)


def test_capacity_by_name(scenario):
    async def body(layers):
        rules = {"tiny": 1, "spec*": 2, re.compile("other"): 1}
        layer = layers(channel_capacity=rules)
        for channel, capacity in (("tiny", 1), (await layer.new_channel(), 2), ("big", 3)):
            for n in range(capacity):
                await layer.send(channel, {"n": n})
            with pytest.raises(ChannelFull):
                await layer.send(channel, {"n": capacity})

    scenario(body)


def test_capacity_by_compiled_expressions(scenario):
    """In the table's order, for normal channels and for those of other processes."""

    async def body(layers):
        other = layers()
        rules = {re.compile(r"jobs\.[0-9]+$"): 2, "jobs*": 1, re.compile(f"one.{other.client_prefix}!"): 1}
        layer = layers(channel_capacity=rules)
        expected = {
            "jobs.17": 2,
            "jobs.x": 1,
            "big": 3,
            await other.new_channel("one"): 1,
            await other.new_channel(): 3,
            await layer.new_channel(): 3,
        }
        for channel, capacity in expected.items():
            for n in range(capacity):
                await layer.send(channel, {"n": n})
            with pytest.raises(ChannelFull):
                await layer.send(channel, {"n": capacity})
        assert await numbers(layer, "jobs.17", 2) == [0, 1]
        await layer.send("jobs.17", {"n": 2})

    scenario(body)


def test_capacity_of_the_own_process_by_a_compiled_expression(scenario):
    """What this process may hold of group messages is said when it connects; others keep the default."""

    async def body(layers):
        layer = layers(channel_capacity={re.compile("specific"): 2})
        channel = await layer.new_channel()
        await layer.group_add("g", channel)
        sent = [await layer.group_send("g", {"n": n}, stats=True) for n in range(3)]
        assert [each.delivered for each in sent] == [1, 1, 0]
        with pytest.raises(ChannelFull):
            await layer.send(channel, {"n": 3})
        for n in range(3):
            await layer.send("big", {"n": n})
        with pytest.raises(ChannelFull):
            await layer.send("big", {"n": 3})
        assert await numbers(layer, channel, 2) == [0, 1]

    scenario(body)


def test_names(scenario):
    async def body(layers):
        layer = layers()
        for bad in ("=+135!", "a!b!c", "a b", "ä", "x" * 100, 5):
            with pytest.raises(TypeError):
                await layer.send(bad, {})
            with pytest.raises(TypeError):
                await layer.group_add("g", bad)
            with pytest.raises(TypeError):
                await layer.group_send(bad, {})
        for sneaky in ("newline\n", "arabic\u0663"):
            with pytest.raises(TypeError):
                await layer.send(sneaky, {})
        with pytest.raises(AssertionError):
            await layer.receive("specific.somebody!else")
        with pytest.raises(AssertionError):
            await layer.send("x", "no dict")

    scenario(body)


def test_messages_of_a_megabyte(scenario):
    async def body(layers):
        layer = layers(max_message=3 << 20)
        channel = await layer.new_channel()
        await layer.send(channel, {"blob": b"x" * (2 << 20)})
        assert len((await receive(layer, channel))["blob"]) == 2 << 20
        with pytest.raises(MessageTooLarge):
            await layer.send(channel, {"blob": b"x" * (3 << 20)})
        with pytest.raises(MessageTooLarge):
            await layer.group_send("g", {"blob": b"x" * (3 << 20)})

    scenario(body)


def test_groups(scenario):
    async def body(layers):
        layer = layers(capacity=100)
        channels = [await layer.new_channel(f"kind{n}") for n in range(3)]
        for channel in channels:
            await layer.group_add("g", channel)
            await layer.group_add("g", channel)
        await layer.group_discard("g", channels[1])
        await layer.group_discard("g", channels[1])
        await layer.group_discard("nowhere", channels[1])
        await layer.group_send("g", {"n": 1})
        for channel in (channels[0], channels[2]):
            assert await numbers(layer, channel, 1) == [1]
        await receives_nothing(layer, channels[1])

    scenario(body)


def test_groups_over_processes(scenario):
    async def body(layers):
        members = [(layer, await layer.new_channel()) for layer in (layers() for _ in range(4))]
        for layer, channel in members:
            await layer.group_add("g", channel)
        await layers().group_send("g", {"n": 7})
        for layer, channel in members:
            assert await numbers(layer, channel, 1) == [7]

    scenario(body)


def test_a_channel_added_and_removed_by_another_process(scenario):
    async def body(layers):
        owner, other = layers(), layers()
        channel = await owner.new_channel()
        await receives_nothing(owner, channel)
        await other.group_add("g", channel)
        await other.group_send("g", {"n": 1})
        assert await numbers(owner, channel, 1) == [1]
        await other.group_discard("g", channel)
        await other.group_send("g", {"n": 2})
        await receives_nothing(owner, channel)

    scenario(body)


def test_a_hundred_members_under_names_of_their_own(scenario):
    async def body(layers):
        layer = layers()
        channels = [await layer.new_channel(f"channel{n}") for n in range(100)]
        for channel in channels:
            await layer.group_add("g", channel)
        await layer.group_send("g", {"n": 5})
        for channel in channels:
            assert await numbers(layer, channel, 1) == [5]

    scenario(body)


def test_a_full_normal_channel_does_not_stop_a_group(scenario):
    async def body(layers):
        layer = layers()
        await layer.group_add("g", "normal")
        for n in range(5):
            await layer.group_send("g", {"n": n})
        assert await numbers(layer, "normal", 3) == [0, 1, 2]

    scenario(body)


def test_a_group_keeps_the_oldest(scenario):
    async def body(layers):
        layer = layers()
        one, two = await layer.new_channel(), await layer.new_channel("other")
        await layer.group_add("g", one)
        await layer.group_add("g", two)
        for n in range(4):
            await layer.group_send("g", {"n": n})
        for channel in (one, two):
            assert await numbers(layer, channel, 3) == [0, 1, 2]
            await receives_nothing(layer, channel)

    scenario(body)


def test_names_do_not_depend_on_the_seed(scenario):
    async def body(layers):
        random.seed(1)
        first = await layers().new_channel()
        random.seed(1)
        assert await layers().new_channel() != first

    scenario(body)


def test_unread_messages_expire(scenario):
    async def body(layers):
        layer = layers(expiry=1)
        read, unread = await layer.new_channel(), await layer.new_channel("other")
        await receives_nothing(layer, read)
        for channel in (read, unread, "normal"):
            await layer.send(channel, {"type": "old"})
        await becomes_true(lambda: layer.stats()["held"] == 1)
        await asyncio.sleep(2)  # nothing tells when a message has expired but its not being there
        for channel in (read, unread, "normal"):
            await receives_nothing(layer, channel)

    scenario(body)


def test_flush(scenario):
    async def body(layers):
        one, other = layers(), layers()
        channel, theirs = await one.new_channel(), await other.new_channel()
        await receives_nothing(other, theirs)
        await one.group_add("g", channel)
        await other.group_add("g", theirs)
        for name in (channel, "normal"):
            await one.send(name, {"type": "old"})
        await one.flush()
        assert await one.group_count("g") == 0
        await one.group_send("g", {"type": "old"})
        for layer, name in ((one, channel), (other, theirs), (one, "normal")):
            await receives_nothing(layer, name)

    scenario(body)


def test_connections_closed_between_calls(scenario):
    async def body(layers):
        layer = layers()
        channel, leaver = await layer.new_channel(), await layer.new_channel()
        await layer.group_add("g", channel)
        await layer.group_add("g", leaver)
        await layer.close_pools()
        await layer.group_discard("g", leaver)
        await layer.close_pools()
        await layer.group_send("g", {"n": 1})
        assert await numbers(layer, channel, 1) == [1]
        await receives_nothing(layer, leaver)

    scenario(body)


def test_encrypted_and_as_json(scenario):
    async def body(layers):
        for options in ({"symmetric_encryption_keys": ["k"]}, {"serializer_format": "json"}):
            layer = layers(**options)
            channels = [await layer.new_channel() for _ in range(2)]
            for channel in channels:
                await layer.group_add("g", channel)
            await layer.group_send("g", {"n": 3})
            for channel in channels:
                assert await numbers(layer, channel, 1) == [3]
            await layer.flush()

    scenario(body)


def test_receivers_of_one_message_share_nothing(scenario):
    async def body(layers):
        layer = layers()
        channels = [await layer.new_channel() for _ in range(2)]
        for channel in channels:
            await layer.group_add("g", channel)
        await layer.group_send("g", {"list": [1]})
        first = await receive(layer, channels[0])
        first["list"].append(2)
        assert await receive(layer, channels[1]) == {"list": [1]}

    scenario(body)


def test_layers_of_other_prefixes_are_apart(scenario):
    async def body(layers):
        one, other = layers(prefix=f"{layers.prefix}a"), layers(prefix=f"{layers.prefix}b")
        await one.send("jobs", {"n": 1})
        await other.send("jobs", {"n": 2})
        assert await numbers(one, "jobs", 1) == [1]
        assert await numbers(other, "jobs", 1) == [2]

    scenario(body)


def test_resp2_and_resp3(scenario):
    async def body(layers):
        url = layers.urls[0]
        layers_of_both = [layers(f"{url}?protocol=2"), layers(f"{url}?protocol=3")]
        for layer in layers_of_both:
            channel = await layer.new_channel()
            await layer.group_add("g", channel)
            sent = await layer.group_send("g", {"n": 1}, stats=True)
            assert (sent.members, sent.delivered) == (1, 1)
            assert await numbers(layer, channel, 1) == [1]
            await layer.group_discard("g", channel)

    import redis

    if int(redis.__version__.split(".")[0]) < 5:
        pytest.skip("this redis-py knows RESP2 only")
    scenario(body)
