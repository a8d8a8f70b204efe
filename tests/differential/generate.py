"""Random conversations that have only one right answer.

What could race is kept out: once anybody has blocked, clients touch shared keys only to serve blocked calls
(one push at a time), publish nothing, and work on keys of their own. UNSUBSCRIBE names its channels. Times
and random picks are not used.
"""

import dataclasses
import random

from differential.conversation import Conversation, step

CHANNELS = ("ch", "news", "a-channel")
PATTERNS = ("c*", "*", "n?ws")
RECONFIGURING = {
    "HELLO",
    "SUBSCRIBE",
    "PSUBSCRIBE",
    "SSUBSCRIBE",
    "UNSUBSCRIBE",
    "PUNSUBSCRIBE",
    "SUNSUBSCRIBE",
}


@dataclasses.dataclass
class Client:
    """What the generator must know of a client to stay deterministic. Approximate is enough."""

    name: str
    protocol: int
    multi: bool = False
    subscribed: bool = False
    silent: bool = False
    blocked: bool = False  # at any time: what is queued behind runs when somebody serves it


@dataclasses.dataclass(frozen=True)
class Turn:
    client: str
    commands: tuple


class Generator:
    def __init__(self, seed, protocol):
        self.random = random.Random(seed)
        names = "ABC"[: self.random.choice((1, 2, 2, 3))]
        self.protocol = protocol
        self.clients = [Client(name, protocol) for name in names]
        self.serial = 0

    def turns(self):
        return [self._turn() for _ in range(self.random.randint(4, 20))]

    def _turn(self):
        client = self.random.choice(self.clients)
        if not client.blocked and self._anybody_blocked() and self.random.random() < 0.4:
            # Alone: what waits behind the served call runs at a time of its own.
            return Turn(client.name, (self._serve_blocked(),))
        count = self.random.choice((1, 1, 2, 3, 5, 9))
        commands = []
        for _ in range(count):
            command = self._command(client)
            if command[0] in RECONFIGURING or command[:2] == ("CLIENT", "REPLY"):
                # Redis executes them at EXEC and garbles EXEC's own reply: kept out of transactions.
                commands.append(("DISCARD",))
            if command[:2] == ("CLIENT", "REPLY"):
                client.silent = command[2] != "ON"
            commands.append(command)
        if self.random.random() < 0.1:
            commands += self._whole_transaction(client)
        if client.silent and not client.blocked:
            # Its answer tells that the turn is over, before anybody else has theirs.
            commands += [("DISCARD",), ("CLIENT", "REPLY", "ON")]
            client.silent = client.multi = False
        return Turn(client.name, tuple(commands))

    def _anybody_blocked(self):
        return any(one.blocked for one in self.clients)

    # Which command.

    def _command(self, client):
        makers = {
            self._data: 50,
            self._error: 6,
            self._transaction: 14,
            self._connection: 10,
            self._publish: 4,
        }
        if not client.multi:
            makers |= {self._blocking: 5, self._subscription: 5, self._mode: 4}
        return self.random.choices(list(makers), makers.values())[0](client)

    def _key(self, client, kind):
        shared = not self._anybody_blocked()
        owner = "" if shared and self.random.random() < 0.6 else client.name
        return f"{kind}{owner}{self.random.randint(0, 2)}"

    def _value(self):
        self.serial += 1
        return self.random.choice((f"v{self.serial}", str(self.serial), "", "\r\n$3\r\n", "x" * 3000))

    def _data(self, client):
        kind = self.random.choice("shlez")
        key, value = self._key(client, kind), self._value()
        wrong = self._key(client, self.random.choice("shlez"))
        choices = {
            "s": [
                ("SET", key, value),
                ("GET", key),
                ("INCR", key),
                ("APPEND", key, value),
                ("STRLEN", key),
                ("MGET", key, wrong, "none"),
                ("DEL", key),
                ("SET", key, 1, "NX"),
                ("GETDEL", key),
                ("TTL", key),
                ("EXPIRE", key, 1000),
            ],
            "h": [
                ("HSET", key, "f", value),
                ("HGETALL", key),
                ("HGET", key, "f"),
                ("HINCRBY", key, "n", 2),
                ("HDEL", key, "f", "n"),
            ],
            "l": [
                ("RPUSH", key, value),
                ("LPUSH", key, value, "y"),
                ("LRANGE", key, 0, -1),
                ("LPOP", key),
                ("LLEN", key),
                ("RPOP", key, 2),
            ],
            "e": [
                ("EVAL", "return {KEYS[1],ARGV[1]}", 1, key, value),
                ("EVAL", "return redis.call('INCR',KEYS[1])", 1, f"n{key}"),
                ("SADD", f"i{key}", self.serial % 5),
                ("SMEMBERS", f"i{key}"),
                ("EXISTS", key, wrong),
                ("TYPE", key),
                ("XADD", f"x{key}", f"{self.serial}-1", "f", value),
                ("XLEN", f"x{key}"),
                ("XRANGE", f"x{key}", "-", "+"),
            ],
            "z": [
                ("ZADD", key, self.serial % 3 + 0.5, f"m{self.serial % 4}"),
                ("ZSCORE", key, "m1"),
                ("ZRANGE", key, 0, -1, "WITHSCORES"),
                ("ZPOPMIN", key),
                ("ZINCRBY", key, 1, "m1"),
            ],
        }
        return self.random.choice(choices[kind] + [(choices[kind][0][0], wrong, *choices[kind][0][2:])])

    def _error(self, client):
        key = self._key(client, "s")
        return self.random.choice(
            [
                ("NOSUCH", key),
                ("GET",),
                ("SET", key),
                ("EXEC", "x"),
                ("SELECT", "abc"),
                ("CLIENT", "NOSUCH"),
                ("EVAL", "bad(", 0),
                ("HSET", key, "f"),
                ("SELECT", 16),
                ("BLPOP", key, "abc"),
                ("CLIENT", "SETNAME", "bad name"),
                ("PING", "a", "b"),
            ]
        )

    def _transaction(self, client):
        weights = {
            ("MULTI",): 6,
            ("EXEC",): 8 if client.multi else 1,
            ("DISCARD",): 2,
            ("UNWATCH",): 2,
            ("WATCH", self._key(client, "s"), self._key(client, "l")): 4,
        }
        command = self.random.choices(list(weights), weights.values())[0]
        if command[0] == "MULTI":
            client.multi = True
        elif command[0] in ("EXEC", "DISCARD"):
            client.multi = False
        return command

    def _whole_transaction(self, client):
        inner = [self._data(client) for _ in range(self.random.randint(0, 4))]
        if self.random.random() < 0.2:
            inner.append(self._error(client))
        client.multi = False
        return [("MULTI",), *inner, self.random.choice([("EXEC",), ("EXEC",), ("DISCARD",)])]

    def _connection(self, client):
        command = self.random.choice(
            [
                ("PING",),
                ("PING", self._value()),
                ("ECHO", self._value()),
                ("CLIENT", "GETNAME"),
                ("CLIENT", "SETNAME", f"name{self.serial}"),
                ("SELECT", self.random.randint(0, 3)),
                ("RESET",),
                ("ACL", "WHOAMI"),
            ]
        )
        if command[0] == "RESET":
            client.multi = client.subscribed = client.silent = False
            client.protocol = 2
        return command

    def _mode(self, client):
        return self.random.choice(
            [
                ("HELLO", self.random.choice((2, 3))),
                ("HELLO", "9"),
                ("CLIENT", "REPLY", "SKIP"),
                ("CLIENT", "REPLY", "OFF"),
                ("CLIENT", "REPLY", "ON"),
                ("CLIENT", "REPLY", "ON"),
            ]
        )

    def _publish(self, client):
        # In a transaction the client's own messages come as in 7.2, not 7.0 (see the pubsub scenarios).
        own_message = client.multi and client.protocol == 3
        if self._anybody_blocked() or own_message:
            return ("PING",)
        return ("PUBLISH", self.random.choice(CHANNELS), self._value())

    def _subscription(self, client):
        verb = self.random.choice(
            ("SUBSCRIBE", "UNSUBSCRIBE", "PSUBSCRIBE", "PUNSUBSCRIBE", "SSUBSCRIBE", "SUNSUBSCRIBE")
        )
        names = PATTERNS if verb.startswith("P") else CHANNELS
        return (verb, *self.random.sample(names, self.random.choice((1, 1, 2))))

    def _blocking(self, client):
        client.blocked = True
        key = f"b{self.random.randint(0, 1)}"
        return self.random.choice(
            [
                ("BLPOP", key, 0),
                ("BRPOP", f"{key}x", key, 0),
                ("BLMPOP", 0, 1, key, "LEFT"),
                ("BLMOVE", key, f"moved{client.name}", "LEFT", "RIGHT", 0),
                ("BZPOPMIN", f"bz{key}", 0),
                ("BLPOP", f"l{client.name}0", 0),
            ]
        )

    def _serve_blocked(self):
        key = f"b{self.random.randint(0, 1)}"
        return self.random.choice(
            [
                ("RPUSH", key, self._value()),
                ("LPUSH", key, self._value(), "second"),
                ("ZADD", f"bz{key}", 1, f"m{self.serial}"),
            ]
        )


def conversation(title, turns):
    return Conversation(title, tuple(step(turn.client, *turn.commands, wait=0) for turn in turns))


def smaller(turns):
    """All plans with one turn, or one command, less."""
    for index in range(len(turns)):
        yield turns[:index] + turns[index + 1 :]
    for index, turn in enumerate(turns):
        for dropped in range(len(turn.commands) if len(turn.commands) > 1 else 0):
            commands = turn.commands[:dropped] + turn.commands[dropped + 1 :]
            yield [*turns[:index], dataclasses.replace(turn, commands=commands), *turns[index + 1 :]]
