"""A program: what an application does with a native layer, once. Argument: the layer's URL."""

import asyncio
import contextlib
import sys

import redis
from asgiref.sync import async_to_sync
from channels.exceptions import ChannelFull
from sidecar_channels import SidecarChannelLayer

import channels


async def fills_up(layer, channel):
    for n in range(3):
        await layer.send(channel, {"n": n})
    try:
        await layer.send(channel, {"n": 3})
    except ChannelFull:
        return [(await layer.receive(channel))["n"] for _ in range(3)] == [0, 1, 2]
    return False


async def a_group(layer, other):
    members = [await layer.new_channel(), await layer.new_channel(), await other.new_channel("other")]
    for owner, channel in zip((layer, layer, other), members):
        await owner.group_add("room", channel)
    await other.group_send("room", {"type": "hello", "blob": b"\x00\xff"}, exclude=members[0])
    assert await layer.receive(members[1]) == await other.receive(members[2])
    sent = await layer.group_send("room", {"type": "again"}, stats=True)
    assert (sent.members, sent.delivered) == (3, 3), sent
    assert await layer.receive(members[0]) == {"type": "again"}
    assert sorted(await layer.group_members("room")) == sorted(members)
    await other.group_discard("room", members[2])
    assert await layer.group_count("room") == 2


async def cancelled_receives(layer):
    channel = await layer.new_channel()
    got = []
    sending = asyncio.ensure_future(send_all(layer, channel, 200))
    while len(got) < 200:
        task = asyncio.ensure_future(layer.receive(channel))
        await asyncio.wait({task}, timeout=len(got) % 3 * 0.0005)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            got.append((await task)["n"])
    await sending
    assert got == list(range(200)), got


async def send_all(layer, channel, count):
    for n in range(count):
        while True:
            try:
                await layer.send(channel, {"n": n})
                break
            except ChannelFull:
                await asyncio.sleep(0.001)


async def conversation(url):
    options = {"hosts": [url], "capacity": 3, "expiry": 60, "symmetric_encryption_keys": ["key"]}
    layer, other = SidecarChannelLayer(**options), SidecarChannelLayer(**options)
    assert await fills_up(layer, await layer.new_channel())
    assert await fills_up(layer, "normal")
    await a_group(layer, other)
    await cancelled_receives(layer)
    await layer.flush()
    assert await other.group_count("room") == 0
    await layer.close()
    await other.close()


def sync(url):
    layer = SidecarChannelLayer(hosts=[url])
    channel = async_to_sync(layer.new_channel)()
    for n in range(20):
        async_to_sync(layer.send)(channel, {"n": n})
        assert async_to_sync(layer.receive)(channel) == {"n": n}


asyncio.run(asyncio.wait_for(conversation(sys.argv[1]), 60))
sync(sys.argv[1])
print(f"fine with redis-py {redis.__version__}, Channels {channels.__version__}")
