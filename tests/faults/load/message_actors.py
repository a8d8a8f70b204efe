"""Publish and subscribe, and a channel layer of channels_redis."""

import asyncio
import contextlib

import redis
from channels.exceptions import ChannelFull
from channels_redis.core import RedisChannelLayer
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from faults.load.actor import AWAY, Actor, Outcome, RedisActor


class Publisher(RedisActor):
    db = 1

    def __init__(self, site, tag, channel):
        super().__init__(site, tag)
        self.channel = channel
        self.number = 0
        self.counted = []  # acknowledged with a receiver

    def step(self):
        self.number += 1
        outcome, receivers = self.attempt(lambda: self.client.publish(self.channel, self.number))
        if outcome is Outcome.done and receivers:
            # Redis may still count a connection that was cut when there is already another.
            self.expect(receivers <= 2, f"{receivers} receivers of a channel with one subscriber")
            self.counted.append(self.number)


class Subscriber(RedisActor):
    """Numbers must come in order and once; gaps are allowed where a link was lost."""

    db = 1
    protocol = 3

    def __init__(self, site, tag, channel):
        super().__init__(site, tag)
        self.channel = channel
        self.pubsub = self.client.pubsub(ignore_subscribe_messages=True)
        self.subscribed = False
        self.received = []

    def step(self):
        if not self.subscribed:
            outcome, _ = self.attempt(lambda: self.pubsub.subscribe(self.channel))
            self.subscribed = outcome is Outcome.done
            return
        try:
            message = self.pubsub.get_message(timeout=0.2)
        except AWAY:
            self.unknown += 1
            self.subscribed = False
            return
        if message is None:
            return
        self.succeeded()
        number = int(message["data"])
        self.expect(message["channel"] == self.channel.encode(), f"message of {message['channel']}")
        last = self.received[-1] if self.received else 0
        self.expect(number > last, f"{number} came behind {last}")
        self.received.append(number)

    def close(self):
        with contextlib.suppress(redis.RedisError, OSError):
            self.pubsub.close()
        super().close()


class LayerActor(Actor):
    """Sends to a channel of its own and receives: what comes is its own, and no message comes twice, unless a
    call of the layer failed between taking a message and noting that it was taken."""

    def __init__(self, site, tag):
        super().__init__(site, tag)
        self.sent = 0
        self.received = set()

    def _run(self):
        asyncio.run(self.live())

    async def live(self):
        retry = Retry(NoBackoff(), 0)
        layer = RedisChannelLayer(hosts=[{"address": self.site.url(1), "retry": retry, "socket_timeout": 20}])
        channel = None
        while not self.stopping.is_set() and len(self.problems) < 10:
            try:
                channel = channel or await layer.new_channel(self.tag)
                await self.exchange(layer, channel)
            except AWAY:
                self.unknown += 1
                await asyncio.sleep(0.01)
            except redis.ResponseError as error:
                self.expect(self.site.may_refuse(str(error)), f"unexpected error: {error}")
                self.unknown += 1
                await asyncio.sleep(0.01)
        with contextlib.suppress(Exception):
            await layer.close_pools()

    async def exchange(self, layer, channel):
        self.sent += 1
        with contextlib.suppress(ChannelFull):
            await layer.send(channel, {"type": "note", "from": self.tag, "number": self.sent})
        message = await asyncio.wait_for(layer.receive(channel), 6)
        number = message["number"]
        self.expect(message["from"] == self.tag, f"a message of {message['from']}")
        self.expect(0 < number <= self.sent, f"message {number} of {self.sent}")
        self.expect(number not in self.received or self.unknown > 0, f"{number} came twice")
        self.received.add(number)
        self.succeeded()
