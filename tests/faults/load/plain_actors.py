"""Cache operations through Django, transactions and WATCH through redis-py, raw pipelines."""

import redis
from django.core.cache.backends.redis import RedisCache

from faults.load.actor import CLIENT_OPTIONS, Actor, Outcome, RedisActor, Register, Tally
from support import Failure, encode
from support.resp import decode


class CacheActor(Actor):
    """Django's cache on db 0: every value names its key and the operation that wrote it."""

    def __init__(self, site, tag):
        super().__init__(site, tag)
        self.cache = RedisCache(site.url(0), {"OPTIONS": dict(CLIENT_OPTIONS), "TIMEOUT": None})
        self.registers = {f"{tag}:{number}": Register() for number in range(7)}
        self.hits = Tally()
        self.count_key = f"{tag}:hits"
        self.number = 0
        self.counts = False

    def step(self):
        self.number += 1
        key = list(self.registers)[self.number % len(self.registers)]
        value = f"{key}={self.number}"
        outcome, _ = self.attempt(lambda: self.cache.set(key, value))
        self.registers[key].wrote(value, outcome)
        outcome, found = self.attempt(lambda: self.cache.get_many(list(self.registers)))
        for each, register in self.registers.items():
            if outcome is Outcome.done:
                self.expect(register.saw(found.get(each)), f"{each} holds {found.get(each)}")
        self.count()

    def count(self):
        if not self.counts:
            self.counts = self.attempt(lambda: self.cache.set(self.count_key, 0))[0] is Outcome.done
            return
        outcome, value = self.attempt(lambda: self.cache.incr(self.count_key))
        self.hits.tried(outcome)
        if outcome is Outcome.done:
            self.expect(self.hits.fits(value), f"incr gave {value}, not {self.hits.least}..{self.hits.most}")

    def check(self, truth):
        for key, register in self.registers.items():
            self.expect(register.saw(self.cache.get(key)), f"{key} ended as {self.cache.get(key)}")
        if self.counts:
            count = self.cache.get(self.count_key)
            self.expect(self.hits.fits(count), f"counted {count}, not {self.hits.least}..{self.hits.most}")

    def close(self):
        self.cache.close()


class TransactionActor(RedisActor):
    """MULTI/EXEC through redis-py's pipeline: all of it or nothing, and never twice."""

    db = 2

    def __init__(self, site, tag):
        super().__init__(site, tag)
        self.left, self.right, self.log = (f"{tag}:{name}" for name in ("left", "right", "log"))
        self.tally = Tally()
        self.acknowledged = []
        self.number = 0

    def transact(self, entry):
        with self.client.pipeline(transaction=True) as pipe:
            pipe.incr(self.left).rpush(self.log, entry).incrby(self.right, 2)
            return pipe.execute()

    def step(self):
        self.number += 1
        entry = f"{self.tag}-{self.number}"
        outcome, replies = self.attempt(lambda: self.transact(entry))
        self.tally.tried(outcome)
        if outcome is Outcome.done:
            self.acknowledged.append(entry.encode())
            count, length, double = replies
            self.expect(count == length and double == 2 * count, f"half a transaction: {replies}")
            self.expect(self.tally.fits(count), f"{count} transactions, not {self.tally.least}..")

    def check(self, truth):
        log = truth.command("LRANGE", self.log, 0, -1, db=self.db)
        self.expect(len(log) == len(set(log)), "a transaction ran twice")
        self.expect(set(self.acknowledged) <= set(log), "an acknowledged transaction is lost")
        counts = truth.command("MGET", self.left, self.right, db=self.db)
        expected = [str(len(log)).encode(), str(2 * len(log)).encode()] if log else [None, None]
        self.expect(counts == expected, f"half a transaction: {counts}, {len(log)} entries")


class WatchActor(RedisActor):
    """Optimistic locking on a counter that two of them share: no update is lost."""

    db = 0

    def __init__(self, site, tag, shared):
        super().__init__(site, tag)
        self.counter, self.log = f"{shared}:watched", f"{shared}:watched:log"
        self.acknowledged = []
        self.number = 0

    def update(self, entry):
        with self.client.pipeline() as pipe:
            pipe.watch(self.counter)
            count = int(pipe.get(self.counter) or 0)
            pipe.multi()
            pipe.set(self.counter, count + 1)
            pipe.rpush(self.log, entry)
            return pipe.execute()

    def step(self):
        self.number += 1
        entry = f"{self.tag}-{self.number}"

        def once():
            try:
                return self.update(entry)
            except redis.WatchError:
                return None

        outcome, replies = self.attempt(once)
        if outcome is Outcome.done and replies:
            self.expect(replies[0] is True, f"SET replied {replies[0]}")
            self.acknowledged.append(entry.encode())

    def check(self, truth):
        log = truth.command("LRANGE", self.log, 0, -1)
        count = int(truth.command("GET", self.counter) or 0)
        self.expect(len(log) == len(set(log)), "an update ran twice")
        self.expect(set(self.acknowledged) <= set(log), "an acknowledged update is lost")
        self.expect(count == len(log), f"an update was overwritten: {count}, {len(log)} entries")


class RawActor(Actor):
    """Pipelines of commands whose replies say which command they belong to. Reconnects at once: the measure
    of recovery."""

    batch = 8

    def __init__(self, site, tag, protocol=2):
        super().__init__(site, tag)
        self.protocol = protocol
        self.client = None
        self.registers = [Register() for _ in range(3)]
        self.number = 0

    def connected(self):
        if self.client is None:
            self.client = self.site.sidecar.client(protocol=self.protocol, timeout=20)
        return self.client

    def step(self):
        self.number += 1
        slot = self.number % len(self.registers)
        key, value = f"{self.tag}:{slot}", f"{self.tag}:{slot}={self.number}"
        commands = [("ECHO", f"{value}.{index}") for index in range(self.batch)]
        commands[3] = ("SET", key, value)
        commands[5] = ("GET", key)
        commands[6] = ("EVAL", "return ARGV[1]", 0, f"{value}.script")
        replies = []

        def exchange():
            client = self.connected()
            client.send(b"".join(encode(*command) for command in commands))
            while len(replies) < len(commands):
                replies.append(decode(client.read_frame()))

        outcome, _ = self.attempt(exchange)
        if outcome is not Outcome.done and self.client is not None:
            self.client.close()
            self.client = None
        self.judge(commands, replies, self.registers[slot], value)

    def judge(self, commands, replies, register, value):
        if len(replies) <= 3:
            register.wrote(value, Outcome.unknown)
        for command, reply in zip(commands, replies):
            if isinstance(reply, Failure):
                self.refused += 1
                self.expect(self.site.may_refuse(reply.text), f"{command} was answered {reply}")
            elif command[0] == "SET":
                self.expect(reply == "OK", f"SET was answered {reply}")
                register.wrote(value, Outcome.done)
            elif command[0] == "GET":
                self.expect(register.saw(reply and reply.decode()), f"GET was answered {reply}")
            else:
                self.expect(reply == command[-1].encode(), f"{command} was answered {reply}")

    def check(self, truth):
        for slot, register in enumerate(self.registers):
            value = truth.command("GET", f"{self.tag}:{slot}")
            self.expect(register.saw(value and value.decode()), f"slot {slot} ended as {value}")

    def close(self):
        if self.client is not None:
            self.client.close()
