"""A client tries every way out of its db: alone, inside MULTI, in a script, in a function, by pub/sub.

Each is refused, counted, and leaves the other dbs' keys as they were.
"""

import pytest

from support import Failure, encode

# (command, tried on db): what a client of that db must not do.
CROSSING = [
    ("SELECT", 3),
    ("SELECT", 15),
    ("MOVE", "k", 1),
    ("MOVE", "k", 0),
    ("COPY", "k", "stolen", "DB", 0),
    ("COPY", "k", "stolen", "DB", 1, "REPLACE"),
    ("SWAPDB", 0, 1),
    ("SWAPDB", 1, 2),
    ("FLUSHALL",),
    ("FLUSHALL", "ASYNC"),
    ("MIGRATE", "127.0.0.1", "1", "k", 0, 10),
    ("MIGRATE", "127.0.0.1", "1", "", 1, 10, "KEYS", "k"),
    ("CONFIG", "SET", "maxmemory", "1"),
    ("CONFIG", "REWRITE"),
    ("CONFIG", "GET", "requirepass"),
    ("SHUTDOWN", "NOSAVE"),
    ("DEBUG", "SLEEP", "0"),
    ("DEBUG", "RELOAD"),
    ("SAVE",),
    ("BGSAVE",),
    ("BGREWRITEAOF",),
    ("REPLICAOF", "127.0.0.1", "1"),
    ("SLAVEOF", "NO", "ONE"),
    ("FAILOVER",),
    ("PSYNC", "?", "-1"),
    ("SYNC",),
    ("MONITOR",),
    ("ACL", "SETUSER", "evil", "on", "nopass", "~*", "+@all"),
    ("ACL", "LIST"),
    ("ACL", "DELUSER", "x"),
    ("CLIENT", "PAUSE", "100"),
    ("MODULE", "LIST"),
    ("MODULE", "LOAD", "/tmp/x.so"),
    ("CLUSTER", "RESET"),
]
NOT_ON_1_AND_2 = [("FLUSHDB",), ("FLUSHDB", "ASYNC")]

SCRIPTS = {
    "SELECT": "redis.call('SELECT', 1) return redis.call('SET', 'k', 'crossed')",
    "COPY DB": "return redis.call('COPY', 'k', 'crossed', 'DB', 1)",
    "MOVE": "return redis.call('MOVE', 'k', 1)",
    "MIGRATE": "return redis.call('MIGRATE', '127.0.0.1', '1', 'k', 1, 10)",
    "SWAPDB": "return redis.call('SWAPDB', 0, 1)",
    "FLUSHALL": "return redis.call('FLUSHALL')",
    "FLUSHDB": "return redis.call('FLUSHDB')",
    "PUBLISH": "return redis.call('PUBLISH', '{channel}', 'crossed')",
    "pcall SELECT": "redis.pcall('SELECT', 1) return redis.pcall('SET', 'k', 'crossed in db ' .. 1)",
}


def commands_for(db):
    own = ("DB", db)
    return [one for one in CROSSING if one[3:5] != own] + (NOT_ON_1_AND_2 if db else [])


def cases():
    return [
        pytest.param(db, command, id=f"db {db}: {' '.join(map(str, command))}")
        for db in (0, 1, 2)
        for command in commands_for(db)
    ]


def others(db):
    return [one for one in (0, 1, 2, 3) if one != db]


def refused(reply):
    return isinstance(reply, Failure)


@pytest.mark.parametrize("db, command", cases())
def test_refused_and_counted(strict, db, command):
    strict.fill()
    before, counted = strict.digests(0, 1, 2, 3), strict.refusals()
    with strict.sidecar.client(db) as client:
        reply = client.command(*command)
        assert refused(reply), f"{command} was allowed: {reply}"
        assert client.command("GET", "k") == f"of {db}".encode(), "still in its own db"
    assert strict.digests(0, 1, 2, 3) == before
    assert strict.refusals() == counted + 1, "refused but not counted once"


@pytest.mark.parametrize("db, command", cases())
def test_refused_inside_a_transaction(strict, db, command):
    strict.fill()
    before = strict.digests(0, 1, 2, 3)
    with strict.sidecar.client(db) as client:
        whole = encode("MULTI") + encode("SET", "k", "changed") + encode(*command) + encode("EXEC")
        client.send(whole)
        replies = [client.read() for _ in range(4)]
        assert refused(replies[2]) and replies[3].code == "EXECABORT", replies
        stepwise = [
            client.command("MULTI"),
            client.command("SET", "k", "changed"),
            client.command(*command),
            client.command("EXEC"),
        ]
        assert refused(stepwise[2]) and stepwise[3].code == "EXECABORT", stepwise
        assert client.command("GET", "k") == f"of {db}".encode()
    assert strict.digests(0, 1, 2, 3) == before


@pytest.mark.parametrize("db", [0, 1, 2])
@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("how", ["EVAL", "EVALSHA", "MULTI", "FUNCTION"])
def test_scripts_and_functions_cannot_cross(strict, db, name, how):
    if name == "FLUSHDB" and db == 0:
        pytest.skip("db 0 may flush itself")
    strict.fill()
    body = SCRIPTS[name].replace("{channel}", f"/{(db + 1) % 3}.celery.pidbox")
    before = strict.digests(*others(db))
    with strict.sidecar.client(db) as client, strict.redis.client() as listener:
        listener.command("PSUBSCRIBE", "/*")
        run_script(client, how, body, strict.redis)
        assert client.command("EXISTS", "k") == 1
        assert listener.available() == [], "a message crossed"
    assert strict.digests(*others(db)) == before
    if name.startswith("FLUSH"):
        assert strict.redis.command("GET", "k", db=db) == f"of {db}".encode()


def run_script(client, how, body, redis):
    if how == "EVAL":
        reply = client.command("EVAL", body, 0)
    elif how == "EVALSHA":
        reply = client.command("EVALSHA", client.command("SCRIPT", "LOAD", body), 0)
    elif how == "MULTI":
        reply = client.pipeline(("MULTI",), ("EVAL", body, 0), ("EXEC",))[-1][0]
    else:
        redis.command(
            "FUNCTION",
            "LOAD",
            "REPLACE",
            f"#!lua name=lib\nredis.register_function('f', function(keys, args) {body} end)",
        )
        reply = client.command("FCALL", "f", 0)
    assert "pcall" in body or refused(reply), f"allowed: {reply}"


@pytest.mark.parametrize("db", [0, 1, 2])
def test_own_work_in_scripts_is_allowed(strict, db):
    strict.fill()
    with strict.sidecar.client(db) as client:
        assert client.command("EVAL", "return redis.call('SET', KEYS[1], ARGV[1])", 1, "mine", db) == "OK"
        assert client.command("EVAL", "return redis.call('PUBLISH', 'free-channel', 'x')", 0) == 0
        own = {0: "/0.x", 1: "asgi-x", 2: "/2.celery.pidbox"}[db]
        assert client.command("EVAL", f"return redis.call('PUBLISH', '{own}', 'x')", 0) == 0
        assert client.command("COPY", "k", "copied") == 1
    assert strict.redis.command("GET", "mine", db=db) == str(db).encode()


def test_copy_inside_a_transaction_is_a_stated_limit(strict):
    """A plain COPY needs the full upstream user, which a transaction of the confined one cannot have."""
    with strict.sidecar.client(1) as client:
        client.command("MULTI")
        assert "COPY inside MULTI" in client.command("COPY", "k", "copied").text
        assert client.command("EXEC").code == "EXECABORT"
        assert client.command("EXISTS", "copied") == 0


def test_only_db_0_may_flush_itself(strict):
    strict.fill()
    before = strict.digests(1, 2, 3)
    with strict.sidecar.client(0) as client:
        assert client.command("FLUSHDB") == "OK"
        assert client.command("DBSIZE") == 0
        strict.fill()
        assert client.pipeline(("MULTI",), ("FLUSHDB",), ("EXEC",))[-1] == ["OK"]
    assert strict.digests(1, 2, 3) == before


def test_select_of_other_dbs_in_redis_words(strict):
    strict.fill()
    with strict.sidecar.client() as client:
        for index in (3, 16, -1, 99):
            assert client.command("SELECT", index).text == "ERR DB index is out of range"
        assert client.command("SELECT", "abc") == strict.redis.command("SELECT", "abc")
        for index in (1, 2, 0):
            assert client.command("SELECT", index) == "OK"
            assert client.command("GET", "k") == f"of {index}".encode()


def test_a_foreign_select_inside_a_transaction_aborts_it(strict):
    strict.fill()
    with strict.sidecar.client(2) as client:
        replies = client.pipeline(("MULTI",), ("SELECT", 0), ("SET", "k", "crossed"), ("EXEC",))
        assert refused(replies[1]) and replies[3].code == "EXECABORT"
        assert client.command("GET", "k") == b"of 2"
    assert strict.redis.command("GET", "k") == b"of 0"


@pytest.mark.parametrize(
    "inside",
    [
        "CLIENT REPLY OFF",
        "CLIENT TRACKING ON",
        "SUBSCRIBE x",
        "PSUBSCRIBE x*",
        "HELLO 3",
        "AUTH x",
        "MONITOR",
        "RESETX",
    ],
)
def test_nothing_inside_a_transaction_reconfigures_a_shared_connection(strict, inside):
    strict.fill()
    with strict.sidecar.client() as client, strict.sidecar.client() as neighbour:
        client.send(encode("MULTI") + encode(*inside.split()) + encode("SET", "k", "v") + encode("EXEC"))
        frames = client.read_frames(4)
        assert frames[3].startswith((b"-EXECABORT", b"*")), frames
        for protocol_check in range(20):
            assert neighbour.command("HGETALL", "none") == []
            assert neighbour.command("ECHO", protocol_check) == str(protocol_check).encode()
