"""One process of a Channels deployment: two members of the group `all` that want numbers 0..N-1 in order."""

import asyncio
import sys

from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer


async def main(kind, url, count):
    layer = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}[kind](hosts=[url])
    channels = [await layer.new_channel() for _ in range(2)]
    for channel in channels:
        await layer.group_add("all", channel)
    print("joined", flush=True)

    async def collect(channel):
        return [(await layer.receive(channel))["number"] for _ in range(count)]

    received = await asyncio.wait_for(asyncio.gather(*map(collect, channels)), 20)
    assert received == [list(range(count))] * 2, received
    print("complete", flush=True)


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
