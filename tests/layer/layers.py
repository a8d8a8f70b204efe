"""The three layers as the tests make them, and the decorator that makes a row of the specification a test."""

import asyncio
import enum
import functools
import importlib

import pytest

SCENARIO_SECONDS = 60
RECEIVE_SECONDS = 5


class Kind(enum.Enum):
    native = "sidecar_channels.SidecarChannelLayer"
    core = "channels_redis.core.RedisChannelLayer"
    pubsub = "channels_redis.pubsub.RedisPubSubChannelLayer"

    @property
    def backend(self):
        """As CHANNEL_LAYERS names it."""
        return self.value

    def layer_class(self):
        module, name = self.value.rsplit(".", 1)
        return getattr(importlib.import_module(module), name)


class Layers:
    """Makes layers of one kind, each of which stands for a process of its own."""

    def __init__(self, kind, urls):
        self.kind = kind
        self.urls = urls
        self._make = kind.layer_class()
        self._made = []

    def __call__(self, nodes=(0,), **options):
        """nodes: the sidecars it knows, by number."""
        self._made.append(self._make(hosts=[self.urls[node] for node in nodes], **options))
        return self._made[-1]

    async def close(self):
        for layer in self._made:
            if self.kind is Kind.pubsub:
                await layer.flush()
            else:
                await layer.close_pools()


async def receive(layer, channel, seconds=RECEIVE_SECONDS):
    return await asyncio.wait_for(layer.receive(channel), seconds)


async def numbers(layer, channel, count):
    """The field `n` of the next messages."""
    return [(await receive(layer, channel))["n"] for _ in range(count)]


async def end(*tasks):
    """Cancels until they are done.

    redis-py 8 sends under asyncio.wait_for, which up to Python 3.11 swallows a cancellation that comes just
    when it is done.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.1)
    await asyncio.gather(*tasks, return_exceptions=True)


async def nothing_waits(layer, channel, sender=None):
    """What is sent now is the next to be received."""
    await (sender or layer).send(channel, {"type": "the.end"})
    got = await receive(layer, channel)
    assert got == {"type": "the.end"}, f"{channel} still held {got}"


def run(scenario, kind, site):
    """Runs a coroutine function of `layers`."""

    async def main():
        layers = Layers(kind, [node.url(1) for node in site.nodes])
        try:
            await asyncio.wait_for(scenario(layers), SCENARIO_SECONDS)
        finally:
            await layers.close()

    asyncio.run(main())


class Race(str):
    """Why a client breaks a row only when its parts meet at the wrong time."""


def row(**broken):
    """A coroutine function of `layers` becomes a test of all three kinds. broken: the kinds whose client
    breaks the row by itself, on plain Redis as well, with the reason; should it cease to, the test fails.
    A reason that is a Race need not fail every time."""

    def marked(kind):
        reason = broken.get(kind.name)
        marks = [pytest.mark.xfail(reason=reason, strict=not isinstance(reason, Race))] if reason else []
        return pytest.param(kind, marks=marks, id=kind.name)

    def wrap(scenario):
        def test(kind, site):
            run(scenario, kind, site)

        functools.update_wrapper(test, scenario)
        del test.__wrapped__
        return pytest.mark.parametrize("kind", [marked(kind) for kind in Kind])(test)

    return wrap
