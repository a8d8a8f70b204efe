"""One process of a Channels application under `sidecar-bench fanout`: it holds members, or sends.

Told line by line on its input; every line is answered. Latencies are counted in the buckets of histogram.hpp.

    begin FIRST COUNT               forgets; the publishers of the step are FIRST … FIRST + COUNT - 1   → ok
    send FIRST COUNT N RATE BURST BYTES LIMIT_MS   → sent, when the first was due, sent by each, how late each
    count                           → deliveries so far, when the last was
    end SENT…                       by each publisher → faults, bucket, message … lines, then done
"""

import argparse
import asyncio
import collections
import contextlib
import itertools
import os
import socket
import sys
import threading
import time

import msgpack

CAPACITY = 1_000_000
STAMP = 32
STEP_BITS = 6
BUCKETS_PER_LINE = 200
LATE_SECONDS = 0.002
"""How late a timer of asyncio may be: the rest is waited out in turns of the loop, lest it be measured."""


def bucket_of(value):
    width = max(value, 0).bit_length()
    if width <= STEP_BITS:
        return max(value, 0)
    shift = width - STEP_BITS - 1
    return ((shift + 1) << STEP_BITS) + ((value >> shift) - (1 << STEP_BITS))


def stamped(due, publisher, seq, size):
    return f"{due:016x}{publisher:08x}{seq:08x}".ljust(size, ".")


def read_stamp(text):
    return int(text[:16], 16), int(text[16:24], 16), int(text[24:32], 16)


class Receiver:
    """What one member has seen; the same rules as receiver_log."""

    def __init__(self):
        self.next = collections.Counter()
        self.missing = collections.defaultdict(set)
        self.duplicated = self.reordered = 0

    def note(self, publisher, seq):
        wanted = self.next[publisher]
        if seq >= wanted:
            if seq > wanted:
                self.missing[publisher].update(range(wanted, seq))
            self.next[publisher] = seq + 1
            return True
        if seq in self.missing[publisher]:
            self.missing[publisher].remove(seq)
            self.reordered += 1
            return True
        self.duplicated += 1
        return False

    def lost(self, sent):
        return sum(len(self.missing[p]) + max(0, count - self.next[p]) for p, count in sent.items())


class Book:
    def __init__(self, members, first=0, count=0):
        self.publishers = range(first, first + count)
        self.receivers = [Receiver() for _ in range(members)]
        self.buckets = collections.Counter()
        self.messages = {}  # (publisher, seq) → deliveries, latency of the latest
        self.deliveries = self.latest = self.strays = 0
        self.unread = []

    def arrived(self, member, text):
        """Only notes it: what the figures need is worked out when nothing is on its way any more."""
        self.unread.append((member, text, time.monotonic_ns()))

    def count(self):
        """Deliveries so far, and when the last was."""
        noted, self.unread = self.unread, []
        for member, text, now in noted:
            self.read(member, text, now)
        return self.deliveries, self.latest

    def read(self, member, text, now):
        due, publisher, seq = read_stamp(text)
        if publisher not in self.publishers:
            self.strays += 1
        elif self.receivers[member].note(publisher, seq):
            latency = now - due
            self.buckets[bucket_of(latency)] += 1
            count, latest = self.messages.get((publisher, seq), (0, 0))
            self.messages[publisher, seq] = count + 1, max(latest, latency)
            self.deliveries += 1
            self.latest = now

    def report(self, sent):
        """Lines."""
        self.count()
        by_publisher = dict(zip(self.publishers, sent))
        lost = sum(each.lost(by_publisher) for each in self.receivers)
        duplicated = sum(each.duplicated for each in self.receivers)
        reordered = sum(each.reordered for each in self.receivers)
        yield f"faults {lost} {duplicated} {reordered} {self.strays}"
        counted = sorted(self.buckets.items())
        for begin in range(0, len(counted), BUCKETS_PER_LINE):
            part = counted[begin : begin + BUCKETS_PER_LINE]
            yield "bucket " + " ".join(f"{bucket} {times}" for bucket, times in part)
        for (publisher, seq), (count, latest) in self.messages.items():
            yield f"message {publisher} {seq} {count} {latest}"
        yield "done"


class Bare:
    """No layer: a datagram for each process, a future for each member. What asyncio alone takes."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.bound = False
        self.unread = {}
        self.waiting = {}

    async def new_channel(self):
        return str(len(self.unread))

    async def group_add(self, group, channel):
        self.unread[channel] = collections.deque()
        for place in itertools.count():
            if self.bound:
                break
            with contextlib.suppress(OSError):  # another process has that place
                self.socket.bind(f"\0{group}.{place}")
                self.bound = True
                asyncio.get_running_loop().add_reader(self.socket, self.read)

    def read(self):
        packed = self.socket.recv(1 << 16)
        for unread in self.unread.values():
            unread.append(packed)
        waiting, self.waiting = self.waiting, {}
        for future in waiting.values():
            future.set_result(None)

    async def receive(self, channel):
        while not self.unread[channel]:
            future = self.waiting[channel] = asyncio.get_running_loop().create_future()
            await future
        return msgpack.unpackb(self.unread[channel].popleft())

    async def group_send(self, group, message):
        packed = msgpack.packb(message)
        with contextlib.suppress(ConnectionRefusedError):  # that was the last
            for place in itertools.count():
                self.socket.sendto(packed, f"\0{group}.{place}")


def make_layer(kind, url):
    if kind == "bare":
        return Bare()
    if kind == "native":
        from sidecar_channels import SidecarChannelLayer

        return SidecarChannelLayer(hosts=[url], capacity=CAPACITY)
    # redis-py 8 gives a socket five seconds, as long as the layer's own blocking pop takes.
    host = {"address": url, "socket_timeout": 30}
    if kind == "core":
        from channels_redis.core import RedisChannelLayer

        return RedisChannelLayer(hosts=[host], capacity=CAPACITY)
    from channels_redis.pubsub import RedisPubSubChannelLayer

    return RedisPubSubChannelLayer(hosts=[host])


class Worker:
    def __init__(self, layer, group, members):
        self.layer = layer
        self.group = group
        self.members = members
        self.book = Book(members)
        self.tasks = []

    async def join(self):
        for member in range(self.members):
            channel = await self.layer.new_channel()
            await self.layer.group_add(self.group, channel)
            self.tasks.append(asyncio.create_task(self.receive(member, channel)))

    async def receive(self, member, channel):
        try:
            while True:
                message = await self.layer.receive(channel)
                self.book.arrived(member, message["stamp"])
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            print(f"fanout_worker: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)

    async def send(self, first, publishers, count, rate, burst, size, limit_ms):
        begin = time.monotonic_ns() + 20_000_000
        end = begin + limit_ms * 1_000_000
        sent, late = [0] * publishers, []
        for number in range(count):
            due = begin + int(number // burst * burst / rate * 1e9)
            while (now := time.monotonic_ns()) < due:
                await asyncio.sleep(max(0, (due - now) / 1e9 - LATE_SECONDS))
            if now > end:
                break
            late.append(now - due)
            index = number % publishers
            text = stamped(due, first + index, sent[index], size)
            sent[index] += 1
            await self.layer.group_send(self.group, {"type": "bench.fanout", "stamp": text})
        return " ".join(str(each) for each in (sum(sent), begin, *sent, *late))

    async def obey(self, line):
        """Answers, line by line."""
        verb, *words = line.split()
        if verb == "begin":
            self.book = Book(self.members, *(int(each) for each in words))
            return ["ok"]
        if verb == "send":
            first, publishers, count, rate, burst, size, limit = words
            numbers = int(first), int(publishers), int(count), float(rate), int(burst)
            return [await self.send(*numbers, max(int(size), STAMP), int(limit))]
        if verb == "count":
            deliveries, latest = self.book.count()
            return [f"{deliveries} {latest}"]
        if verb == "end":
            return self.book.report([int(each) for each in words])
        raise SystemExit(f"fanout_worker: what is '{verb}'?")


def read_lines(loop, queue):
    for line in sys.stdin:
        loop.call_soon_threadsafe(queue.put_nowait, line)
    loop.call_soon_threadsafe(queue.put_nowait, None)


async def work(options):
    worker = Worker(make_layer(options.layer, options.url), options.group, options.members)
    await worker.join()
    lines = asyncio.Queue()
    threading.Thread(target=read_lines, args=(asyncio.get_running_loop(), lines), daemon=True).start()
    print("ready", flush=True)
    while (line := await lines.get()) is not None:
        print(*await worker.obey(line), sep="\n", flush=True)
    # The end of the load is the end of this process: nothing needs to be taken down in order.
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--layer", choices=("bare", "core", "pubsub", "native"), required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--members", type=int, required=True, help="0: this process sends only")
    asyncio.run(work(parser.parse_args()))


if __name__ == "__main__":
    main()
