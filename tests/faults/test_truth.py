"""Answers that a multiplexer easily gets wrong: WAIT, PUBLISH, PUBSUB, many waiters."""

import time

import pytest

from support import encode, eventually

THREADS = [("--threads", "1"), ("--threads", "4")]


@pytest.fixture
def replicated(start):
    redis = start.redis(repl_diskless_sync_delay=0)
    replica = start.redis()
    replica.command("REPLICAOF", "127.0.0.1", redis.port)
    eventually(lambda: "state=online" in redis.command("INFO", "replication").decode(), 15)
    return redis, replica


def test_wait_counts_a_replica_that_follows(start, replicated):
    redis, _ = replicated
    client = start.client(start.sidecar(redis))
    for number in range(20):
        assert client.command("SET", "k", number) == "OK"
        assert client.command("WAIT", 1, 5000) == 1


@pytest.mark.parametrize("threads", THREADS, ids=" ".join)
def test_wait_does_not_count_a_stopped_replica(start, replicated, threads):
    redis, replica = replicated
    sidecar = start.sidecar(redis, *threads)
    client = start.client(sidecar)
    assert client.pipeline(("SET", "k", 1), ("WAIT", 1, 5000)) == ["OK", 1]
    replica.freeze()
    try:
        for number in range(3):
            began = time.monotonic()
            assert client.pipeline(("SET", "k", number), ("WAIT", 1, 200)) == ["OK", 0]
            assert time.monotonic() - began >= 0.19
        assert client.command("WAIT", 0, 50) == 0
    finally:
        replica.thaw()
    eventually(lambda: client.command("WAIT", 1, 500) == 1, 10)


def test_wait_delays_nobody_else(start, replicated):
    redis, replica = replicated
    sidecar = start.sidecar(redis)
    waiting, other = start.clients(sidecar, 2)
    replica.freeze()
    try:
        waiting.send(encode("SET", "k", 1) + encode("WAIT", 1, 1000))
        began = time.monotonic()
        for _ in range(50):
            assert other.command("PING") == "PONG"
        assert time.monotonic() - began < 0.8
        assert [waiting.read(), waiting.read()] == ["OK", 0]
    finally:
        replica.thaw()


@pytest.mark.parametrize("threads", THREADS, ids=" ".join)
def test_publish_counts_every_subscriber(start, threads):
    redis, sidecar = start.both(*threads)
    publisher = start.client(sidecar)
    by_name, by_pattern = start.clients(sidecar, 7), start.clients(sidecar, 5)
    outside = redis.client()
    for client in by_name:
        client.command("SUBSCRIBE", "news")
    for client in by_pattern:
        client.command("PSUBSCRIBE", "ne*")
    outside.command("SUBSCRIBE", "news")
    assert publisher.command("PUBLISH", "news", "m") == 13
    assert publisher.command("PUBSUB", "NUMSUB", "news", "none") == [b"news", 8, b"none", 0]
    assert publisher.command("PUBSUB", "NUMPAT") == 1
    assert publisher.command("PUBSUB", "CHANNELS") == [b"news"]
    assert publisher.command("EVAL", "return 1", 0) == 1
    for client in [*by_name, *by_pattern, outside]:
        assert client.read()[-1] == b"m"
    for client in by_name[:3]:
        client.close()
    by_name[3].command("UNSUBSCRIBE", "news")
    outside.close()
    eventually(lambda: publisher.command("PUBSUB", "NUMSUB", "news") == [b"news", 3], 5)
    assert publisher.command("PUBLISH", "news", "n") == 8
    both = by_pattern[0]
    assert both.read()[-1] == b"n"
    both.command("SUBSCRIBE", "news")
    assert publisher.command("PUBLISH", "news", "twice") == 9
    assert publisher.command("PUBLISH", "nobody", "x") == 0


def test_a_subscriber_gets_each_message_once_per_subscription(start):
    _, sidecar = start.both("--threads", "4")
    client, publisher = start.clients(sidecar, 2)
    client.command("SUBSCRIBE", "news")
    client.command("PSUBSCRIBE", "n*")
    for number in range(100):
        assert publisher.command("PUBLISH", "news", number) == 2
    received = [client.read() for _ in range(200)]
    assert [int(message[-1]) for message in received] == [number for number in range(100) for _ in "ab"]
    assert client.command("PING") == [b"pong", b""]


@pytest.mark.parametrize("threads", THREADS, ids=" ".join)
def test_own_messages_come_behind_the_reply(start, threads):
    """In a transaction as in Redis 7.2: never inside EXEC's array, where 7.0 puts them."""
    _, sidecar = start.both(*threads)
    client = start.client(sidecar, protocol=3)
    client.command("SUBSCRIBE", "a")
    for number in range(100):
        client.send(
            encode("MULTI") + encode("PUBLISH", "a", number) + encode("PUBLISH", "b", "x") + encode("EXEC")
        )
        assert [client.read_frame() for _ in range(3)] == [b"+OK\r\n", b"+QUEUED\r\n", b"+QUEUED\r\n"]
        assert client.read_frame() == b"*2\r\n:1\r\n:0\r\n"
        assert client.read_frame().startswith(b">3\r\n$7\r\nmessage\r\n")
        client.send_command("PUBLISH", "a", number)
        # Alone, in the order of the Redis behind: message first up to 7.0, reply first from 7.2 on.
        frames = sorted(client.read_frame() for _ in range(2))
        assert frames[0] == b":1\r\n"
        assert frames[1].startswith(b">3\r\n$7\r\nmessage\r\n")


@pytest.mark.parametrize("threads", THREADS, ids=" ".join)
def test_subscribe_then_publish_is_never_lost(start, threads):
    """Subscribed on one socket, published on another after the confirmation: the message comes. The
    sockets meet on all pairs of shards, with the upstream subscription coming and going."""
    _, sidecar = start.both(*threads)
    publishers = start.clients(sidecar, 8)
    for number in range(500):
        with sidecar.client() as subscriber:
            channel = f"ch{number % 3}"
            assert subscriber.command("SUBSCRIBE", channel) == [b"subscribe", channel.encode(), 1]
            assert publishers[number % 8].command("PUBLISH", channel, number) >= 1, number
            assert subscriber.read(5) == [b"message", channel.encode(), str(number).encode()], number


def test_publish_does_not_overtake_a_subscribe_that_was_sent_first(start):
    """SUBSCRIBE is written, its confirmation not awaited; the PUBLISH of another socket may come before
    or after it, but what PUBLISH counted is what is delivered."""
    _, sidecar = start.both("--threads", "4")
    publishers = start.clients(sidecar, 4)
    for number in range(300):
        channel = f"ch{number}"
        with sidecar.client() as subscriber:
            subscriber.send_command("SUBSCRIBE", channel)
            counted = publishers[number % 4].command("PUBLISH", channel, number)
            assert subscriber.read() == [b"subscribe", channel.encode(), 1]
            publishers[(number + 1) % 4].command("PUBLISH", channel, "end")
            messages = []
            while not messages or messages[-1] != b"end":
                messages.append(subscriber.read(5)[2])
            assert messages in ([str(number).encode(), b"end"], [b"end"])
            if counted:
                assert len(messages) == 2, f"round {number}: counted, not delivered"


@pytest.mark.parametrize("keys", ["distinct", "equal"])
def test_two_thousand_parked_pops(start, keys):
    count = 2000
    redis, sidecar = start.both("--threads", "2")
    waiters = start.clients(sidecar, count, timeout=60)
    name = (lambda number: f"l{number}") if keys == "distinct" else (lambda number: "l")
    for number, client in enumerate(waiters):
        client.send_command("BLPOP", name(number), 0)
    worker = start.client(sidecar)
    assert worker.command("SET", "k", "v") == "OK", "2,000 waiters do not starve other commands"
    late = start.client(sidecar)
    late.send_command("BLPOP", "late", 0)
    worker.command("RPUSH", "late", "x")
    assert late.read(5) == [b"late", b"x"], "the last 64 leases are not for pops"
    began = time.monotonic()
    for start_at in range(0, count, 500):
        worker.pipeline(*[("RPUSH", name(number), number) for number in range(start_at, start_at + 500)])
    received = [client.read(60) for client in waiters]
    assert time.monotonic() - began < 30
    assert {int(reply[1]) for reply in received} == set(range(count))
    assert worker.command("DBSIZE") == 1
    assert int(redis.info("clients", "connected_clients")) < 700


def test_waiters_on_one_key_are_served_in_order(start):
    redis, sidecar = start.both("--threads", "1")
    waiters = start.clients(sidecar, 40)
    for number, client in enumerate(waiters):
        client.send_command("BLPOP", "l", 0)
        eventually(lambda: redis.blocked_clients() == number + 1, interval=0.001)
    start.client(sidecar).command("RPUSH", "l", *range(40))
    assert [int(client.read()[1]) for client in waiters] == list(range(40))


def test_unblock_and_kill_reach_clients_of_other_shards(start):
    redis, sidecar = start.both("--threads", "4")
    admin = start.client(sidecar)
    for number in range(12):
        client = start.client(sidecar)
        number_of = client.command("CLIENT", "ID")
        client.send_command("BLPOP", "l", 0)
        eventually(lambda: redis.blocked_clients() == 1)
        if number % 3 == 0:
            assert admin.command("CLIENT", "UNBLOCK", number_of) == 1
            assert client.read() is None
        elif number % 3 == 1:
            assert admin.command("CLIENT", "UNBLOCK", number_of, "ERROR") == 1
            assert client.read().text == "UNBLOCKED client unblocked via CLIENT UNBLOCK"
        else:
            assert admin.command("CLIENT", "KILL", "ID", number_of) == 1
            assert client.wait_closed(5) == []
        eventually(lambda: redis.blocked_clients() == 0)
        assert admin.command("CLIENT", "UNBLOCK", number_of) == 0


def test_client_list_shows_clients_and_not_the_pool(start):
    _, sidecar = start.both("--threads", "4")
    clients = start.clients(sidecar, 9)
    for number, client in enumerate(clients):
        client.command("CLIENT", "SETNAME", f"name{number}")
    clients[0].command("SUBSCRIBE", "ch")
    listed = clients[1].command("CLIENT", "LIST").decode().splitlines()
    assert len(listed) == 9
    assert {line.split("name=")[1].split(" ")[0] for line in listed} == {
        f"name{number}" for number in range(9)
    }
    ports = {int(line.split(" addr=")[1].split(" ")[0].rsplit(":", 1)[1]) for line in listed}
    assert ports == {client.port for client in clients}
    assert len({line.split(" ")[0] for line in listed}) == 9, "ids are unique over the shards"


def test_a_busy_script_can_be_killed(start):
    _, sidecar = start.both("--policy", "open")
    busy, other = start.clients(sidecar, 2)
    busy.send_command("EVAL", "while true do end", 0)
    eventually(lambda: other.command("SCRIPT", "KILL") == "OK", 15, interval=0.2)
    assert busy.read(5).code == "ERR"
    assert start.client(sidecar).command("PING") == "PONG"


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("protocol", [2, 3])
def test_others_hear_that_a_script_keeps_redis_busy(start, protocol, threads):
    redis, sidecar = start.both("--policy", "open", "--threads", str(threads))
    redis.command("CONFIG", "SET", "busy-reply-threshold", "100")
    script, own_connection, *others = start.clients(sidecar, 10)
    for client in (script, own_connection, *others):
        client.command("HELLO", protocol)
    assert script.command("GET", "k") is None
    script.send_command("EVAL", "while true do end", 0)
    script.send_command("INCR", "own")
    if threads == 1:
        others[0].send_command("GET", "sent right behind the script")
        assert is_busy(others[0].read(5))
    eventually(lambda: is_busy(redis.command("PING")), 5)
    for client in others:
        assert is_busy(client.command("GET", "k"))
        assert is_busy(client.command("INCR", "never"))
    own_connection.send_command("MULTI")
    assert is_busy(own_connection.read(5)), "no connection can be opened for it now"
    assert others[1].command("SCRIPT", "KILL") == "OK"
    assert script.read(5).code == "ERR"
    assert script.read(5) == 1, "its own next command waited"
    eventually(lambda: others[1].command("PING") == "PONG", 5)
    assert others[1].command("EXISTS", "never") == 0
    assert own_connection.command("MULTI") == "OK"


def is_busy(reply):
    return getattr(reply, "code", None) == "BUSY"
