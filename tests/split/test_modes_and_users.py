"""Audit and open policies, named users, read-only users."""

import hashlib

import pytest

from support import Failure, RedisServer, Sidecar, encode

USERS = """
[users.cache]
password = "cache-secret"
dbs = [0]

[users.worker]
sha256 = "{digest}"
dbs = [2]

[users.viewer]
password = "viewer-secret"
readonly = true
""".format(digest=hashlib.sha256(b"worker-secret").hexdigest())

CROSSING = [
    ("SELECT", 5),
    ("FLUSHDB",),
    ("COPY", "k", "x", "DB", 2),
    ("PUBLISH", "/2.x", "m"),
    ("CONFIG", "SET", "maxmemory", 0),
]


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    path = tmp_path_factory.mktemp("configuration") / "sidecar.toml"
    path.write_text(USERS)
    with (
        RedisServer(password="root") as redis,
        Sidecar(redis.url, "--config", path, "--password", "root", "--threads", "2") as sidecar,
    ):
        yield redis, sidecar


def test_audit_allows_and_counts(start):
    redis = start.redis()
    sidecar = start.sidecar(redis, "--policy", "audit")
    client = sidecar.client(1)
    for number, command in enumerate(CROSSING, 1):
        reply = client.command(*command)
        assert not isinstance(reply, Failure), f"audit refused {command}: {reply}"
        if command[0] == "SELECT":
            client.command("SELECT", 1)
        client.command("SET", "k", "v")
        assert audited(sidecar) == number, f"{command} is not counted"
    assert redis.command("GET", "x", db=2) == b"v"
    assert "audit" in sidecar.log().lower() or "127.0.0.1" in sidecar.log(), "by which client is not logged"


def audited(sidecar):
    return sum(
        value
        for sample, value in sidecar.metrics().items()
        if sample.startswith(("sidecar_policy_refusals_total", "sidecar_policy_audited_total"))
    )


def test_audit_lets_scripts_pass(start):
    redis = start.redis()
    client = start.sidecar(redis, "--policy", "audit").client(1)
    assert client.command("EVAL", "redis.call('SELECT', 2) return redis.call('SET', 'k', 'v')", 0) == "OK"
    assert redis.command("GET", "k", db=2) == b"v"


def test_open_counts_nothing(start):
    redis = start.redis()
    sidecar = start.sidecar(redis, "--policy", "open")
    client = sidecar.client(1)
    assert client.command("SELECT", 15) == "OK"
    assert client.command("CONFIG", "GET", "databases") == [b"databases", b"16"]
    assert client.command("FLUSHALL") == "OK"
    assert audited(sidecar) == 0


def test_strict_is_the_default(start):
    redis = start.redis()
    assert start.sidecar(redis).client().command("FLUSHALL").code == "NOPERM"


def test_a_user_of_one_db_works_only_there(users):
    redis, sidecar = users
    with sidecar.client(user="cache", password="cache-secret") as client:
        assert client.command("ACL", "WHOAMI") == b"cache"
        assert client.command("SET", "k", "v") == "OK"
        assert client.command("SELECT", 2) == "OK", "connection commands pass on any db"
        assert client.command("PING") == "PONG"
        for command in (
            ("GET", "k"),
            ("SET", "k", "v"),
            ("EVAL", "return 1", 0),
            ("BLPOP", "l", "0.1"),
            ("WATCH", "k"),
        ):
            assert client.command(*command).code == "NOPERM", command
        replies = client.pipeline(("MULTI",), ("SET", "k", "v"), ("EXEC",))
        assert replies[1].code == "NOPERM" and replies[2].code in ("NOPERM", "EXECABORT")
        assert client.command("SELECT", 0) == "OK"
        assert client.command("GET", "k") == b"v"
    assert redis.command("DBSIZE", db=2) == 0


def test_a_hashed_password_and_pings_on_db_0(users):
    _, sidecar = users
    with sidecar.client(user="worker", password="worker-secret") as client:
        assert client.command("PING") == "PONG", "kombu pings on db 0 before SELECT 2"
        assert client.command("GET", "k").code == "NOPERM"
        assert client.command("SELECT", 2) == "OK"
        assert client.command("LPUSH", "celery", "x") == 1
        assert client.command("BRPOP", "celery", 1) == [b"celery", b"x"]
        assert client.pipeline(("MULTI",), ("INCR", "n"), ("EXEC",))[-1] == [1]
    with sidecar.client() as client:
        digest = hashlib.sha256(b"worker-secret").hexdigest()
        assert client.command("AUTH", "worker", digest).code == "WRONGPASS", "the hash is not the password"


@pytest.mark.parametrize("db", [0, 1, 2])
def test_a_readonly_user_writes_nowhere(users, db):
    redis, sidecar = users
    redis.command("SET", "k", f"of {db}", db=db)
    redis.command("RPUSH", "list", "x", db=db)
    writes = [
        ("SET", "k", "x"),
        ("DEL", "k"),
        ("LPOP", "list"),
        ("BLPOP", "list", 1),
        ("EXPIRE", "k", 1),
        ("FLUSHDB",),
        ("GETSET", "k", "x"),
        ("COPY", "k", "y"),
        ("SORT", "list", "ALPHA", "STORE", "d"),
        ("EVAL", "return redis.call('SET', KEYS[1], 'x')", 1, "k"),
        ("EVAL", "return redis.pcall('DEL', 'k')", 0),
    ]
    with sidecar.client(db, user="viewer", password="viewer-secret") as client:
        assert client.command("GET", "k") == f"of {db}".encode()
        assert client.command("LRANGE", "list", 0, -1) == [b"x"]
        assert client.command("EVAL", "return redis.call('GET', KEYS[1])", 1, "k") == f"of {db}".encode()
        for command in writes:
            assert isinstance(client.command(*command), Failure), command
            client.command("MULTI")
            queued = client.command(*command)
            result = client.command("EXEC")
            assert isinstance(queued, Failure) or all(isinstance(one, Failure) for one in result), command
        assert client.pipeline(("WATCH", "k"), ("MULTI",), ("GET", "k"), ("EXEC",))[-1] == [
            f"of {db}".encode()
        ]
    assert redis.command("GET", "k", db=db) == f"of {db}".encode()
    redis.command("DEL", "list", db=db)


def test_failed_auth_keeps_the_identity(users):
    _, sidecar = users
    with sidecar.client(user="cache", password="cache-secret") as client:
        for wrong in (
            ("cache", "no"),
            ("nobody", "cache-secret"),
            ("default", "cache-secret"),
            ("worker", "cache-secret"),
        ):
            assert client.command("AUTH", *wrong).code == "WRONGPASS"
        assert client.command("ACL", "WHOAMI") == b"cache"
        assert client.command("GET", "none") is None
        assert client.command("AUTH", "root") == "OK"
        assert client.command("ACL", "WHOAMI") == b"default"
        assert client.command("RESET") == "RESET"
        assert client.command("GET", "none").code == "NOAUTH"


def test_identity_changes_take_effect_in_the_same_pipeline(users):
    _, sidecar = users
    with sidecar.client() as client:
        client.send(
            encode("GET", "none")
            + encode("AUTH", "viewer", "viewer-secret")
            + encode("GET", "none")
            + encode("SET", "k", "x")
            + encode("AUTH", "root")
            + encode("SET", "k2", "x")
        )
        replies = [client.read() for _ in range(6)]
    assert [getattr(reply, "code", reply) for reply in replies] == [
        "NOAUTH",
        "OK",
        None,
        "NOPERM",
        "OK",
        "OK",
    ]


def test_hello_authenticates(users):
    _, sidecar = users
    with sidecar.client() as client:
        assert client.command("HELLO", 3).code == "NOAUTH"
        assert client.command("HELLO", 3, "AUTH", "cache", "wrong").code == "WRONGPASS"
        assert client.command("HELLO", 3, "AUTH", "cache", "cache-secret", "SETNAME", "me")[b"proto"] == 3
        assert client.command("ACL", "WHOAMI") == b"cache"
        assert client.command("CLIENT", "GETNAME") == b"me"


def test_hello_and_client_id_agree(strict):
    with strict.sidecar.client() as client:
        greeting = client.command("HELLO", 3)
        assert greeting[b"id"] == client.command("CLIENT", "ID")
        assert greeting[b"proto"] == 3
        assert greeting[b"version"].decode() == strict.redis.info("server", "redis_version")
        assert client.command("HELLO", 4).code == "NOPROTO"
        assert client.command("HELLO", 3)[b"id"] == greeting[b"id"]
