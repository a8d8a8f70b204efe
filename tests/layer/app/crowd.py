"""Many WebSocket clients of the chat: what each sent, heard, and was told; cut off, they come back.

Every client sends numbered messages at its own times, mostly to its room, some to its neighbour alone. What
the application said was sent must be heard once, in order, by everyone meant; what it called failed, or never
answered since the connection broke, is unknown: it may be heard or not.
"""

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import json
import time

import websockets

WHISPER_EVERY = 3
RECONNECT_SECONDS = 0.2
UNDER_WAY_SECONDS = 0.1  # from a client to Redis, at most
CONNECTION = {"ping_interval": None, "compression": None, "open_timeout": 20}
QUIET_SECONDS = 2  # nothing was heard for so long: nothing more will come


@dataclasses.dataclass
class Table:
    sent: int = 0
    unknown: int = 0
    expected: int = 0
    delivered: int = 0
    lost: int = 0
    cut_off: int = 0  # not heard either, but on its way when an outage began
    doubled: int = 0
    disordered: int = 0
    crashes: int = 0
    reconnects: int = 0
    errors: collections.Counter = dataclasses.field(default_factory=collections.Counter)

    @staticmethod
    def names():
        return [field.name for field in dataclasses.fields(Table) if field.name != "errors"]

    @staticmethod
    def head():
        return f"{'':<28}" + "".join(f"{name:>11}" for name in Table.names())

    def line(self, title):
        return f"{title:<28}" + "".join(f"{getattr(self, name):>11}" for name in self.names())


class Client:
    def __init__(self, number, path, room):
        self.number = number
        self.path = path
        self.room = room
        self.channel = None
        self.joined = asyncio.Event()
        self.next_seq = 0
        self.asked_at = {}
        self.asked = {}  # seq -> numbers of the clients it was meant for
        self.sent = set()
        self.failed = {}
        self.heard = collections.defaultdict(list)  # sender -> seqs
        self.connects = 0
        self.socket = None
        self.last_heard = time.monotonic()

    async def stay(self):
        while True:
            with contextlib.suppress(OSError, websockets.WebSocketException):
                place = f"ws://chat/rooms/{self.room}/"
                async with websockets.unix_connect(self.path, place, **CONNECTION) as self.socket:
                    self.connects += 1
                    async for text in self.socket:
                        self._take(json.loads(text))
            self.joined.clear()
            self.socket = None
            await asyncio.sleep(RECONNECT_SECONDS)

    def _take(self, message):
        if "welcome" in message:
            self.channel = message["welcome"]
            self.joined.set()
            return
        self.last_heard = time.monotonic()
        if "sent" in message:
            self.sent.add(message["sent"])
        elif "failed" in message:
            self.failed[message["failed"]] = message["error"]
        else:
            self.heard[message["sender"]].append(message["seq"])

    async def say(self, room, neighbour):
        """Waits for its own connection only; a message whose sending broke is asked and never answered."""
        await self.joined.wait()
        seq, self.next_seq = self.next_seq, self.next_seq + 1
        message = {"sender": self.number, "seq": seq}
        self.asked_at[seq] = time.monotonic()
        if seq % WHISPER_EVERY == WHISPER_EVERY - 1:
            message["to"] = neighbour.channel
            self.asked[seq] = [neighbour.number]
        else:
            self.asked[seq] = [each.number for each in room]
        with contextlib.suppress(OSError, websockets.WebSocketException, AttributeError):
            await self.socket.send(json.dumps(message))

    @property
    def answered(self):
        return len(self.sent) + len(self.failed)


class Crowd:
    def __init__(self, paths, clients=200, rooms=20):
        self.clients = [Client(n, paths[n % len(paths)], str(n * rooms // clients)) for n in range(clients)]
        self.rooms = collections.defaultdict(list)
        self.outages_at = []
        for client in self.clients:
            self.rooms[client.room].append(client)

    async def run(self, outages, messages=4, period=1.6):
        """outages: (part of the whole time, coroutine function), in order."""
        staying = [asyncio.create_task(client.stay()) for client in self.clients]
        try:
            await asyncio.wait_for(asyncio.gather(*(client.joined.wait() for client in self.clients)), 40)
            begin = time.monotonic()
            talking = [
                asyncio.create_task(self._talk(client, begin, messages, period)) for client in self.clients
            ]
            for part, outage in outages:
                await until(begin + part * messages * period)
                self.outages_at.append(time.monotonic())
                await outage()
            await asyncio.wait_for(asyncio.gather(*talking), 60)
            await self._settle()
        finally:
            for task in staying:
                task.cancel()
            await asyncio.gather(*staying, return_exceptions=True)

    async def _talk(self, client, begin, messages, period):
        room = self.rooms[client.room]
        neighbour = room[(room.index(client) + 1) % len(room)]
        for turn in range(messages):
            await until(begin + (turn + client.number / len(self.clients)) * period)
            await client.say(room, neighbour)

    async def _settle(self):
        """Until all is heard that must be, or nothing comes any more."""
        while not self._complete():
            latest = max(client.last_heard for client in self.clients)
            if time.monotonic() - latest > QUIET_SECONDS:
                return
            await asyncio.sleep(0.1)

    def _complete(self):
        answered = all(client.answered >= client.next_seq for client in self.clients)
        return answered and not self.table().lost

    def table(self, crashes=(), since=0):
        """since: lower numbers are not looked at for losses."""
        table = Table(crashes=len(crashes), errors=collections.Counter(f"crash: {line}" for line in crashes))
        for sender in self.clients:
            table.sent += len(sender.sent)
            table.unknown += len(sender.asked) - len(sender.sent)
            table.errors.update(f"failed: {text}" for text in sender.failed.values())
            table.reconnects += max(sender.connects - 1, 0)
            for seq in (each for each in sender.sent if each >= since):
                for number in sender.asked[seq]:
                    heard = self.clients[number].heard[sender.number].count(seq)
                    table.expected += 1
                    table.delivered += heard > 0
                    under_way = self._was_under_way(sender.asked_at[seq])
                    table.cut_off += heard == 0 and under_way
                    table.lost += heard == 0 and not under_way
        for client in self.clients:
            for seqs in client.heard.values():
                table.doubled += len(seqs) - len(set(seqs))
                table.disordered += sum(later < earlier for earlier, later in itertools.pairwise(seqs))
        return table

    def _was_under_way(self, moment):
        return any(0 <= outage - moment <= UNDER_WAY_SECONDS for outage in self.outages_at)


async def until(moment):
    await asyncio.sleep(max(0, moment - time.monotonic()))
