"""What a client of a random conversation may say, by class of command."""

import hashlib

from differential.pool import READS, WRITES, Filler

CHANNELS = ("ch", "news", "a-channel")
PATTERNS = ("c*", "*", "n?ws")
SUBSCRIBING = ("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE")
# Beginnings of commands that the sidecar refuses in a transaction.
BEFORE_IT_DISCARD = {("HELLO",), ("AUTH",), ("CLIENT", "REPLY"), *((verb,) for verb in SUBSCRIBING)}
# After these a subscriber gets less than before.
LEAVING = {("RESET",), ("UNSUBSCRIBE",), ("PUNSUBSCRIBE",), ("SUNSUBSCRIBE",)}
JOINING = {("SUBSCRIBE",), ("PSUBSCRIBE",), ("SSUBSCRIBE",)}
SCRIPT = "return 'loaded'"
PUBLISHING_SCRIPT = "redis.call('PUBLISH',KEYS[1],ARGV[1])"
SHA = hashlib.sha1(SCRIPT.encode()).hexdigest()
FUNCTION = """#!lua name=library
redis.register_function{function_name='answer', flags={'no-writes'},
callback=function(keys, args) return {#keys, #args, 42} end}"""


def publishes_in_script(command):
    return command[:2] == ("EVAL", PUBLISHING_SCRIPT)


def publishes(command):
    return command[0] in ("PUBLISH", "SPUBLISH") or publishes_in_script(command)


class Menus:
    def __init__(self, random, world, clients):
        self.random, self.world, self.clients = random, world, clients
        self.filler = Filler(random)
        self.waited_for = []  # keys of calls that have outlived a restart
        self.strict = "strict" in world.mode.servers.flags

    @property
    def serial(self):
        return self.filler.serial

    def next_serial(self):
        self.filler.serial += 1
        return self.filler.serial

    def command(self, client, alone):
        makers = {self.data: 60, self._error: 6, self._transaction: 14, self._connection: 10}
        if alone and not client.blocked:
            makers |= {self._message: 5, self._shared: 3}
            if self.world.crossing:
                makers[self._crossing] = 10
        if not client.multi:
            makers[self._mode] = 4
            if alone:
                makers |= {self._blocking: 5, self._subscription: 5}
        if self.world.users and (client.user is None or self.random.random() < 0.05):
            return self._session(client)
        return self.random.choices(list(makers), makers.values())[0](client, alone)

    def _own(self, client, alone):
        """Whose keys: its own, or those of all when that cannot race."""
        shared = alone and not client.blocked and self.random.random() < 0.6
        return "" if shared else client.name

    def data(self, client, alone):
        if client.user is not None and client.user.readonly and self.random.random() < 0.8:
            return self.filler.command(READS, self._own(client, alone))
        return self.filler.command(READS + WRITES, self._own(client, alone))

    def _error(self, client, alone, queued=False):
        key = self.filler.key(self._own(client, alone), "s")
        # Under strict, a transaction may not select.
        selecting = [] if self.strict and (queued or client.multi) else [("SELECT", "abc"), ("SELECT", 16)]
        return self.random.choice(
            [
                *selecting,
                ("NOSUCH", key),
                ("GET",),
                ("SET", key),
                ("EXEC", "x"),
                ("CLIENT", "NOSUCH"),
                ("EVAL", "bad(", 0),
                ("HSET", key, "f"),
                ("BLPOP", key, "abc"),
                ("XREAD", "BLOCK", "x", "STREAMS", key, 0),
                ("CLIENT", "SETNAME", "bad name"),
                ("PING", "a", "b"),
                ("OBJECT", "NOSUCH", key),
                ("WATCH",),
                ("SUBSCRIBE",),
                ("EVAL", "return 1", 5, key),
                ("SET", key, "v", "EX", 0),
                ("", key),
            ]
        )

    def _transaction(self, client, alone):
        own = self._own(client, alone)
        weights = {
            ("MULTI",): 6,
            ("EXEC",): 8 if client.multi else 1,
            ("DISCARD",): 2,
            ("UNWATCH",): 2,
            ("WATCH", self.filler.key(own, "s"), self.filler.key(own, "l")): 4,
        }
        command = self.random.choices(list(weights), weights.values())[0]
        if command[0] == "MULTI":
            client.multi = True
        elif command[0] == "WATCH":
            client.watching = True
        elif command[0] in ("EXEC", "DISCARD"):
            client.multi = False
        return command

    def whole_transaction(self, client, alone):
        inner = [self.data(client, alone) for _ in range(self.random.randint(0, 4))]
        if self.random.random() < 0.2:
            inner.append(self._error(client, alone, queued=True))
        client.multi = False
        return [("MULTI",), *inner, self.random.choice([("EXEC",), ("EXEC",), ("DISCARD",)])]

    def _db(self, client):
        limit = client.user.dbs if client.user is not None else ()
        return self.random.choice(limit or range(self.world.dbs))

    def _connection(self, client, alone):
        return self.random.choice(
            [
                ("PING",),
                ("PING", self.filler.value()),
                ("ECHO", self.filler.value()),
                ("CLIENT", "GETNAME"),
                ("CLIENT", "SETNAME", f"name{self.serial}"),
                ("CLIENT", "NO-EVICT", "ON"),
                ("CLIENT", "TRACKINGINFO"),
                ("CLIENT", "GETREDIR"),
                ("SELECT", self._db(client)),
                ("SELECT", self._db(client)),
                ("RESET",),
                ("ACL", "WHOAMI"),
                ("COMMAND", "GETKEYS", "MSET", "a", 1, "b", 2),
                ("COMMAND", "COUNT"),
                ("READWRITE",),
            ]
        )

    def _mode(self, client, alone):
        command = self.random.choice(
            [
                ("HELLO", 2),
                ("HELLO", 3),
                ("HELLO", 3, "SETNAME", f"hello{self.serial}"),
                ("HELLO", "9"),
                ("CLIENT", "REPLY", "SKIP"),
                ("CLIENT", "REPLY", "OFF"),
                ("CLIENT", "REPLY", "ON"),
                ("CLIENT", "REPLY", "ON"),
            ]
        )
        if command[0] == "HELLO":
            client.resp3 = client.resp3 or command[1] == 3
        else:
            client.silent = command[2] != "ON"
        return command

    def _message(self, client, alone):
        # In a transaction the client's own messages come as in 7.2, not 7.0 (see the pubsub scenarios).
        if client.multi and client.resp3:
            return ("PING",)
        channel, value = self.random.choice(CHANNELS), self.filler.value()
        return self.random.choice(
            [
                ("PUBLISH", channel, value),
                ("PUBLISH", channel, value),
                ("SPUBLISH", channel, value),
                ("EVAL", PUBLISHING_SCRIPT, 1, channel, value),
                ("PUBSUB", "NUMSUB", *CHANNELS),
                ("PUBSUB", "NUMPAT"),
                ("PUBSUB", "SHARDNUMSUB", *CHANNELS),
            ]
        )

    def _shared(self, client, alone):
        """About the server: nobody else may be at work."""
        return self.random.choice(
            [
                ("DBSIZE",),
                ("FLUSHDB",) if self.world.crossing else ("DBSIZE",),
                ("SCRIPT", "LOAD", SCRIPT),
                ("EVALSHA", SHA, 0),
                ("SCRIPT", "EXISTS", SHA),
                ("FUNCTION", "LOAD", "REPLACE", FUNCTION),
                ("FCALL", "answer", 1, "s0", "x"),
                ("FCALL_RO", "answer", 0),
                ("LOLWUT", "VERSION", 5, 1, 1, 1),
            ]
        )

    def _crossing(self, client, alone):
        key, db = self.filler.key("", self.random.choice("shliz")), self.random.randrange(self.world.dbs)
        if self.random.random() < 0.1 and not any(one.blocked for one in self.clients):
            # It may serve several.
            return ("SWAPDB", db, self.random.randrange(self.world.dbs))
        return self.random.choice(
            [
                ("MOVE", key, db),
                ("MOVE", key, 16),
                ("COPY", key, f"{key}2", "DB", db, "REPLACE"),
                ("COPY", key, key, "DB", db),
                ("COPY", key, f"{key}2"),
                ("SWAPDB", 0, 16),
                ("FLUSHALL",),
                ("FLUSHDB", "SYNC"),
                ("CONFIG", "GET", "databases"),
                ("CONFIG", "GET", "hash-max-listpack-e*"),
                ("CONFIG", "SET", "slowlog-max-len", 100 + self.serial % 7),
                ("CONFIG", "GET", "slowlog-max-len"),
                ("DEBUG", "SLEEP", 0),
                ("EVAL", "redis.call('SELECT',ARGV[1]) return redis.call('INCR','sn')", 0, db),
                ("MEMORY", "USAGE", "none"),
                ("OBJECT", "ENCODING", key),
                ("SELECT", db),
                ("SELECT", db),
            ]
        )

    def _subscription(self, client, alone):
        client.subscribed = True
        verb = self.random.choice(SUBSCRIBING)
        names = PATTERNS if verb.startswith("P") else CHANNELS
        return (verb, *self.random.sample(names, self.random.choice((1, 1, 2))))

    def _blocking(self, client, alone):
        client.blocked = True
        key, other = f"b{self.random.randint(0, 1)}", client.name
        return self.random.choice(
            [
                ("BLPOP", key, 0),
                ("BRPOP", f"{key}x", key, 0),
                ("BLMPOP", 0, 1, key, "LEFT"),
                ("BLMPOP", 0, 2, f"none{other}", key, "RIGHT", "COUNT", 2),
                ("BLMOVE", key, f"moved{other}", "LEFT", "RIGHT", 0),
                ("BRPOPLPUSH", key, f"moved{other}", 0),
                ("BZPOPMIN", f"bz{key}", 0),
                ("BZPOPMAX", f"bz{key}", 100),
                ("BZMPOP", 0, 1, f"bz{key}", "MAX"),
                ("XREAD", "BLOCK", 0, "STREAMS", f"bx{key}", "$"),
                ("XREAD", "COUNT", 1, "BLOCK", 0, "STREAMS", f"bx{key}", "0"),
                ("BLPOP", f"l{other}0", 0),
            ]
        )

    def serve(self):
        key = f"b{self.random.randint(0, 1)}"
        self.next_serial()
        return self.random.choice(
            [
                *(("RPUSH", waited, "x") for waited in self.waited_for),
                ("RPUSH", key, self.filler.value()),
                ("LPUSH", key, self.filler.value(), "second"),
                ("ZADD", f"bz{key}", 1, f"m{self.serial}"),
                ("XADD", f"bx{key}", f"{self.serial}-1", "f", "v"),
            ]
        )

    def unserved(self):
        return [
            ("BLPOP", "never", "0.02"),
            ("BRPOP", "never", "nobody", "0.02"),
            ("BLMOVE", "never", "nobody", "LEFT", "LEFT", "0.02"),
            ("BZMPOP", "0.02", 1, "never", "MIN"),
            ("XREAD", "BLOCK", 20, "STREAMS", "never", "$"),
            ("WAIT", 1, 20),
        ]

    def inline(self, client):
        key = self.filler.key(client.name, "s")
        return [
            f"SET {key} inline",
            f'set {key} "with blank\\r\\n\\x41"',
            f"  GET   {key}  ",
            "",
            "PING",
            "PING 'single quoted'",
            "NOSUCH a b",
            "GET",
            "EXISTS none\r\n\r\nPING",
            f"GET {key}\r\n*1\r\n$4\r\nPING\r\nGET {key}",
        ]

    def log_in(self, client, user):
        """Sent when nobody is logged in, so that it succeeds or fails as a whole."""
        client.user = user
        client.multi = False
        if self.random.random() < 0.3:
            client.resp3 = True
            return ("HELLO", 3, "AUTH", user.name, user.password)
        if user.name == "default" and self.random.random() < 0.5:
            return ("AUTH", user.password)
        return ("AUTH", user.name, user.password)

    def _another(self, client, user):
        """While keys are watched, the sidecar refuses who has other rights."""
        if client.watching and client.user is not None and client.user.readonly != user.readonly:
            user = client.user
        return self.log_in(client, user)

    def _session(self, client):
        """Nobody yet, or somebody who changes."""
        user = self.random.choice(self.world.users)
        choice = self.random.random()
        if client.subscribed:  # It could be refused, and who this is would be unknown.
            return ("PING",)
        if choice < 0.45:
            return self._another(client, user)
        client.resp3 = client.resp3 or choice >= 0.85
        return self.random.choice(
            [
                ("AUTH", user.name, "wrong"),
                ("AUTH", "nobody", user.password),
                ("AUTH", "wrong"),
                ("PING",),
                ("ACL", "WHOAMI"),
                ("CLIENT", "GETNAME"),
                ("GET", "s0"),
                ("HELLO", 2, "AUTH", user.name, "wrong"),
                ("HELLO", 2),
                ("RESET",),
            ]
        )
