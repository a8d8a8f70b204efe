"""Receives of the core layer cancelled while messages arrive; prints what was lost and what came twice.

    python -m layer.guard_race URL SCENARIO CANCELS SEED

own: one channel; its receives are cancelled, the last ones are not. others: receives of one channel are
cancelled, messages go to another of the same process. In both nothing can be lost inside the client: at most
one receive of a channel runs at a time, and none is cancelled that could hold a message of its own channel.
"""

import asyncio
import json
import random
import sys

from channels_redis.core import RedisChannelLayer

QUIET_SECONDS = 1.5
TRIES_MAX = 2_000
# A receive is cancelled so long after its message was sent; follows how fast the machine is at the moment.
WINDOW_SECONDS_MIN = 0.0002
WINDOW_SECONDS_MAX = 0.005
WHOLE_SECONDS = 60


class Race:
    def __init__(self, url, cancels, seed):
        self.layer = RedisChannelLayer(hosts=[url], capacity=1000)
        self.sender = RedisChannelLayer(hosts=[url], capacity=1000)
        self.cancels = cancels
        self.random = random.Random(seed)
        self.sent = 0
        self.got = []
        self.cancelled = 0
        self.errors = []
        self.window_seconds = WINDOW_SECONDS_MAX

    async def send(self, channel):
        self.sent += 1
        await self.sender.send(channel, {"type": "race", "n": self.sent})

    async def receive_and_cancel(self, channel, during):
        """A receive that is cancelled while `during` runs."""
        receiving = asyncio.create_task(self.layer.receive(channel))
        await asyncio.sleep(self.random.uniform(0, 0.004))
        other = asyncio.create_task(during)
        await asyncio.sleep(self.random.uniform(0, self.window_seconds))
        # redis-py 8 sends under asyncio.wait_for, which may swallow a cancellation up to Python 3.11.
        while not receiving.done():
            receiving.cancel()
            await asyncio.wait([receiving], timeout=0.5)
        outcomes = await asyncio.gather(receiving, other, return_exceptions=True)
        if isinstance(outcomes[0], asyncio.CancelledError):
            self.cancelled += 1
            self.window_seconds = min(self.window_seconds * 1.25, WINDOW_SECONDS_MAX)
        elif isinstance(outcomes[0], BaseException):
            self.errors.append(repr(outcomes[0]))
        else:
            self.got.append(outcomes[0]["n"])
            self.window_seconds = max(self.window_seconds * 0.8, WINDOW_SECONDS_MIN)

    async def drain(self, channel):
        while True:
            try:
                message = await asyncio.wait_for(self.layer.receive(channel), QUIET_SECONDS)
            except TimeoutError:
                return
            self.got.append(message["n"])

    async def own(self):
        channel = await self.layer.new_channel()
        while self.cancelled < self.cancels and self.sent < TRIES_MAX:
            await self.receive_and_cancel(channel, self.send(channel))
        await self.drain(channel)

    async def others(self):
        left, right = await self.layer.new_channel(), await self.layer.new_channel()
        finished = asyncio.Event()

        async def read():
            while not (finished.is_set() and len(self.got) >= self.sent):
                self.got.append((await self.layer.receive(right))["n"])

        reading = asyncio.create_task(read())
        for _ in range(self.cancels):
            await self.receive_and_cancel(left, self.send(right))
        finished.set()
        quiet_since = len(self.got), asyncio.get_running_loop().time()
        while not reading.done() and len(self.got) < self.sent:
            await asyncio.sleep(0.05)
            now = asyncio.get_running_loop().time()
            if len(self.got) != quiet_since[0]:
                quiet_since = len(self.got), now
            elif now - quiet_since[1] > 2 * QUIET_SECONDS + 5:
                break
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    def result(self):
        return {
            "sent": self.sent,
            "cancelled": self.cancelled,
            "lost": self.sent - len(set(self.got)),
            "duplicated": len(self.got) - len(set(self.got)),
            "errors": self.errors,
        }


async def main(url, scenario, cancels, seed):
    race = Race(url, int(cancels), int(seed))
    await asyncio.wait_for(getattr(race, scenario)(), WHOLE_SECONDS)
    print(json.dumps(race.result()), flush=True)
    for layer in (race.layer, race.sender):
        await layer.close_pools()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
