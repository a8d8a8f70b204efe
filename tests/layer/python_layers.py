"""Native layers as the tests of the Django package make them."""

import asyncio
import contextlib
import time
import uuid

from channels.exceptions import ChannelFull
from sidecar_channels import SidecarChannelLayer

TEST_SECONDS = 90
OPTIONS = {"expiry": 3, "group_expiry": 600, "capacity": 3, "channel_capacity": {"tiny": 1}}


class NativeLayers:
    """Makes layers, each of which stands for a process of its own, and closes them."""

    def __init__(self, *urls):
        self.urls = urls
        self.made = []
        self.prefix = f"test{uuid.uuid4().hex[:8]}"

    def __call__(self, *urls, **options):
        self.made.append(
            SidecarChannelLayer(
                hosts=list(urls or self.urls), **{**OPTIONS, "prefix": self.prefix, **options}
            )
        )
        return self.made[-1]

    async def close(self):
        for layer in self.made:
            await layer.close()


def run(scenario, *urls):
    """A coroutine function that is given NativeLayers."""

    async def main():
        layers = NativeLayers(*urls)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(layers.close)
            await asyncio.wait_for(scenario(layers), TEST_SECONDS)

    asyncio.run(main())


async def receive(layer, channel, seconds=10):
    return await asyncio.wait_for(layer.receive(channel), seconds)


async def numbers(layer, channel, count):
    return [(await receive(layer, channel))["n"] for _ in range(count)]


async def receives_nothing(layer, channel):
    """The next message is one that is sent now, as soon as the sidecar knows of the room for it."""
    deadline = time.monotonic() + 10
    while True:
        try:
            await layer.send(channel, {"type": "the.end"})
            break
        except ChannelFull:
            assert time.monotonic() < deadline, "nothing is unread and there is no room"
            await asyncio.sleep(0.01)
    assert await receive(layer, channel) == {"type": "the.end"}
