"""The channel layer specification, row by row: the native layer, and channels_redis through the sidecar.

A row says what the specification demands of a layer. Where a client itself breaks one, whatever stands behind
it, the reason is given and the test is expected to fail.
"""

import asyncio
import inspect
import json
import time

import pytest
from channels.exceptions import ChannelFull

from clients.waiting import becomes_true
from layer.layers import Kind, Race, end, nothing_waits, numbers, receive, row

EVERY_TYPE = {
    "type": "every.type",
    "bytes": b"\x00\xff\r\n",
    "str": "ü€𝄞",
    "empty": "",
    "int64": [-(2**63), -1, 0, 2**63 - 1],
    "float": [0.1, -1e300, 5e-324],
    "list": [1, "two", [3.0, [None]]],
    "dict": {"a": {"b": {"c": True}}},
    "bool": [True, False],
    "none": None,
}
UNCHECKED = "its client checks neither names nor messages"
RESEND_SECONDS = 0.5  # after it a message that nobody got is sent again
TWICE_SECONDS = 0.3  # within it a second copy of a message would come
SEND_SECONDS = 15  # for everything that the test of row 18 sends
NO_CAPACITY = "its queues are unbounded, it knows no capacity"


async def past(moment):
    """Until what lives until the moment (of the monotonic clock) is over."""
    while time.monotonic() < moment:
        await asyncio.sleep(0.05)


@row()
async def test_01_messages_keep_every_type(layers):
    sender, reader = layers(), layers()
    channel = await reader.new_channel()
    await sender.send(channel, EVERY_TYPE)
    assert await receive(reader, channel) == EVERY_TYPE


@row(pubsub=UNCHECKED)
async def test_01_what_is_no_dict_is_refused(layers):
    layer = layers()
    with pytest.raises((TypeError, AssertionError)):
        await layer.send(await layer.new_channel(), "a string")


@row(pubsub=UNCHECKED)
async def test_02_bad_names_are_refused(layers):
    layer = layers()
    channel = await layer.new_channel()
    for name in ("", "a b", "a/b", "ü", "=+135!", "two!marks!", "x" * 100, b"bytes", None):
        with pytest.raises(TypeError):
            await layer.send(name, {"type": "x"})
    for name in ("", "a b", "ü", "mark!", "x" * 100, None):
        with pytest.raises(TypeError):
            await layer.group_add(name, channel)
        with pytest.raises(TypeError):
            await layer.group_send(name, {"type": "x"})


@row(
    core="the pattern of Channels lets digits of every script and a line end pass",
    pubsub=UNCHECKED,
)
async def test_02_names_are_of_ascii_only(layers):
    layer = layers()
    for name in ("line\n", "\u0663\u0664", "specific.a!\u00e4"):
        with pytest.raises(TypeError):
            await layer.send(name, {"type": "x"})


@row()
async def test_02_names_may_be_long(layers):
    layer = layers()
    channel = await layer.new_channel()
    group = "g-_." + "x" * 60
    await layer.group_add(group, channel)
    await layer.group_send(group, {"type": "long", "n": 1})
    assert await numbers(layer, channel, 1) == [1]


@row()
async def test_03_a_queue_is_first_in_first_out(layers):
    sender, reader = layers(), layers()
    first = asyncio.create_task(receive(reader, "jobs"))
    await layers_reads(layers, sender, "jobs", first)
    for n in range(30):
        await sender.send("jobs", {"type": "job", "n": n})
    assert await numbers(reader, "jobs", 30) == list(range(30))
    await nothing_waits(reader, "jobs", sender)


async def layers_reads(layers, sender, channel, first):
    """Sends until the reader has one: the pub/sub layer drops what comes before its subscription."""
    while not first.done():
        await sender.send(channel, {"type": "begin"})
        await asyncio.wait([first], timeout=RESEND_SECONDS if layers.kind is Kind.pubsub else None)
    assert first.result() == {"type": "begin"}


@row(
    core=Race("the clean-up of one reader gives back what the other has just taken"),
    pubsub="every reader of a normal channel gets each message",
)
async def test_03_a_message_has_one_reader(layers):
    sender, readers = layers(), [layers(), layers()]
    got = {reader: [] for reader in readers}

    async def work(reader):
        while True:
            got[reader].append((await reader.receive("shared"))["n"])

    def all_got():
        return sorted(n for each in got.values() for n in each if n >= 0)

    workers = [asyncio.create_task(work(reader)) for reader in readers]
    while not all(got.values()):
        await sender.send("shared", {"type": "begin", "n": -1})
        await asyncio.sleep(0.05)
    for n in range(80):
        await sender.send("shared", {"type": "job", "n": n})
    await becomes_true(lambda: set(all_got()) == set(range(80)))
    await past(time.monotonic() + TWICE_SECONDS)
    await end(*workers)
    assert all_got() == list(range(80))


@row(pubsub="what nobody is subscribed to yet is dropped")
async def test_04_a_normal_channel_has_many_senders_and_keeps_for_a_later_reader(layers):
    senders, reader = [layers() for _ in range(3)], layers()
    for n in range(10):
        await asyncio.gather(*(s.send("many", {"type": "x", "n": 3 * n + i}) for i, s in enumerate(senders)))
    assert sorted(await numbers(reader, "many", 30)) == list(range(30))


@row(pubsub="its channel names have no process part")
async def test_05_a_channel_belongs_to_its_process(layers):
    layer, other = layers(), layers()
    one, two = await layer.new_channel(), await layer.new_channel()
    assert one.split("!")[0] == two.split("!")[0] != (await other.new_channel()).split("!")[0]
    for n in range(10):
        await other.send((one, two)[n % 2], {"type": "x", "n": n})
    assert await numbers(layer, two, 5) == [1, 3, 5, 7, 9]
    assert await numbers(layer, one, 5) == [0, 2, 4, 6, 8]
    with pytest.raises((AssertionError, TypeError, ValueError)):
        await asyncio.wait_for(other.receive(one), 1)


@row(pubsub="its messages never expire")
async def test_06_unread_messages_expire(layers):
    sender, reader = layers(expiry=1), layers(expiry=1)
    mine = await reader.new_channel()
    for channel in (mine, "stale"):
        await sender.send(channel, {"type": "old"})
    await past(time.monotonic() + 2.2)
    for channel in (mine, "stale"):
        await nothing_waits(reader, channel, sender)


@row()
async def test_07_a_message_of_one_megabyte_arrives(layers):
    sender, reader = layers(), layers()
    channel = await reader.new_channel()
    message = {"type": "large", "text": "x" * (1_000_000 - 30)}
    assert 999_000 < len(json.dumps(message)) <= 1_000_000
    await sender.send(channel, message)
    assert await receive(reader, channel) == message
    await reader.group_add("large", channel)
    await sender.group_send("large", message)
    assert await receive(reader, channel) == message


@row(core="it names no MessageTooLarge", pubsub="it names no MessageTooLarge")
async def test_07_the_layer_names_the_error_for_too_large_messages(layers):
    assert issubclass(layers().MessageTooLarge, Exception)


@row()
async def test_08_the_extensions_are_listed(layers):
    assert {"groups", "flush"} <= set(layers().extensions)


@row()
async def test_09_methods_are_coroutine_functions(layers):
    layer = layers()
    for name in ("send", "receive", "new_channel", "group_add", "group_discard", "group_send", "flush"):
        assert inspect.iscoroutinefunction(getattr(layer, name)), name


@row(pubsub=NO_CAPACITY)
async def test_10_capacity_is_configured_by_name(layers):
    layer = layers(capacity=3, channel_capacity={"tiny*": 1})
    for channel, capacity in (("usual", 3), ("tiny.one", 1)):
        for _ in range(capacity):
            await layer.send(channel, {"type": "x"})
        with pytest.raises(ChannelFull):
            await layer.send(channel, {"type": "x"})


@row(pubsub=NO_CAPACITY)
async def test_11_capacity_is_that_of_the_whole_process(layers):
    sender, reader = layers(capacity=4), layers(capacity=4)
    one, two = await reader.new_channel(), await reader.new_channel()
    for channel in (one, two, two, one):
        await sender.send(channel, {"type": "x", "n": 0})
    for channel in (one, two):
        with pytest.raises(ChannelFull):
            await sender.send(channel, {"type": "x", "n": 1})
    assert await numbers(reader, one, 2) == [0, 0]


@row()
async def test_12_a_full_member_makes_no_error_of_a_group_message(layers):
    sender, slow, keen = (layers(capacity=3) for _ in range(3))
    channels = {layer: await layer.new_channel() for layer in (slow, keen)}
    for layer, channel in channels.items():
        await layer.group_add("mixed", channel)
    for n in range(8):
        await sender.group_send("mixed", {"type": "x", "n": n})
        assert await numbers(keen, channels[keen], 1) == [n]
    assert await numbers(slow, channels[slow], 3) == [0, 1, 2]


@row()
async def test_13_new_channels_are_unlike_each_other(layers):
    layer = layers()
    names = [await layer.new_channel() for _ in range(20)]
    assert len(set(names)) == 20
    assert "custom" in await layer.new_channel(prefix="custom")
    assert all(len(name) < 100 for name in names)


@row()
async def test_14_adding_twice_and_discarding_a_stranger_change_nothing(layers):
    layer, sender = layers(), layers()
    member, stranger = await layer.new_channel(), await layer.new_channel()
    await layer.group_discard("club", stranger)
    for _ in range(2):
        await layer.group_add("club", member)
    await sender.group_send("club", {"type": "x", "n": 1})
    assert await numbers(layer, member, 1) == [1]
    for _ in range(2):
        await layer.group_discard("club", member)
    await sender.group_send("club", {"type": "x", "n": 2})
    await nothing_waits(layer, member, sender)
    await nothing_waits(layer, stranger, sender)


@row(pubsub="it has no group_expiry")
async def test_15_memberships_expire(layers):
    member, sender = layers(group_expiry=1), layers(group_expiry=1)
    assert member.group_expiry == 1
    channel = await member.new_channel()
    await member.group_add("brief", channel)
    await sender.group_send("brief", {"type": "x", "n": 1})
    assert await numbers(member, channel, 1) == [1]
    await past(time.monotonic() + 2.2)
    await sender.group_send("brief", {"type": "x", "n": 2})
    await nothing_waits(member, channel, sender)


@row(
    pubsub="it forgets its own state only",
)
async def test_16_flush_empties_the_layer_for_all(layers):
    reader, other = layers(), layers()
    mine = await reader.new_channel()
    await reader.group_add("all", mine)
    for channel in (mine, "normal"):
        await other.send(channel, {"type": "old"})
    await other.flush()
    await other.group_send("all", {"type": "to.nobody"})
    for channel in (mine, "normal"):
        await nothing_waits(reader, channel, other)


@row(
    core="what a process has read for another of its channels stays in its memory",
    pubsub="it forgets its own state only",
)
async def test_16_flush_empties_the_memory_of_other_processes(layers):
    reader, other = layers(), layers()
    read, unread = await reader.new_channel(), await reader.new_channel()
    for channel in (unread, read):
        await other.send(channel, {"type": "old", "n": 1})
    assert await numbers(reader, read, 1) == [1]
    await other.flush()
    await nothing_waits(reader, unread, other)


@row()
async def test_17_one_writer_and_one_reader_keep_their_order(layers):
    sender, reader = layers(capacity=500), layers(capacity=500)
    channel = await reader.new_channel()
    await reader.group_add("ordered", channel)
    reading = asyncio.create_task(numbers(reader, channel, 300))
    for n in range(300):
        if n % 3:
            await sender.send(channel, {"type": "x", "n": n})
        else:
            await sender.group_send("ordered", {"type": "x", "n": n})
    assert await reading == list(range(300))


@row()
async def test_18_sending_does_not_wait_for_readers(layers):
    layer, sender = layers(), layers()
    waiting = [asyncio.create_task(layer.receive(await layer.new_channel())) for _ in range(5)]
    unread = await layer.new_channel()
    await layer.group_add("unread", unread)
    begin = time.monotonic()
    for _ in range(150):
        try:
            await sender.send(unread, {"type": "x"})
        except ChannelFull:
            break
    for _ in range(20):
        await layer.group_send("unread", {"type": "x"})
    assert time.monotonic() - begin < SEND_SECONDS
    assert not any(task.done() for task in waiting)
    await end(*waiting)


@row()
async def test_19_all_messages_arrive_under_normal_conditions(layers):
    sender = layers()
    processes = [layers() for _ in range(3)]
    members = [(layer, await layer.new_channel()) for layer in processes for _ in range(3)]
    for layer, channel in members:
        await layer.group_add("normal", channel)
    for begin in range(0, 300, 50):
        for n in range(begin, begin + 50):
            await sender.group_send("normal", {"type": "x", "n": n})
        got = await asyncio.gather(*(numbers(layer, channel, 50) for layer, channel in members))
        assert got == [list(range(begin, begin + 50))] * len(members)
    for layer, channel in members:
        await nothing_waits(layer, channel, sender)


@row()
async def test_20_a_busy_channel_does_not_starve_a_quiet_one(layers):
    layer, sender = layers(), layers()
    busy, quiet = await layer.new_channel(), await layer.new_channel()
    over = asyncio.Event()

    async def read_busily():
        while True:
            await layer.receive(busy)

    async def send_busily():
        while not over.is_set():
            try:
                await sender.send(busy, {"type": "x"})
            except ChannelFull:
                await asyncio.sleep(0.001)

    tasks = [asyncio.create_task(task()) for task in (read_busily, send_busily)]
    for n in range(10):
        while True:
            try:
                await sender.send(quiet, {"type": "x", "n": n})
                break
            except ChannelFull:
                await asyncio.sleep(0.001)
        assert await numbers(layer, quiet, 1) == [n]
    over.set()
    await tasks[1]
    await end(tasks[0])


@row(core="a group cannot be asked for its members", pubsub="a group cannot be asked for its members")
async def test_21_beyond_the_specification_groups_are_counted(layers):
    one, two = layers(), layers()
    channels = [await layer.new_channel() for layer in (one, one, two)]
    for layer, channel in zip((one, one, two), channels):
        await layer.group_add("counted", channel)
    assert await two.group_count("counted") == 3
    assert sorted(await one.group_members("counted")) == sorted(channels)
