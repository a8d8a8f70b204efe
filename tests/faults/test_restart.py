"""Redis goes away and comes back: what clients see meanwhile and afterwards."""

import time

import pytest

from support import Closed, encode, eventually

DURABLE = {"appendonly": "yes", "appendfsync": "always"}


def upstream_lost(sidecar):
    eventually(lambda: sidecar.http("/readyz")[0] == 503, 5, message="the loss of Redis is not noticed")


def test_commands_during_an_outage_are_held_and_answered(start):
    redis, sidecar = start.both("--hold", "5s", **DURABLE)
    reader, writer, parked = start.clients(sidecar, 3)
    assert writer.command("SET", "k", "before") == "OK"
    redis.kill()
    upstream_lost(sidecar)
    reader.send_command("GET", "k")
    writer.send_command("SET", "k", "during")
    parked.send(encode("MULTI") + encode("INCR", "n") + encode("EXEC"))
    redis.start()
    back = time.monotonic()
    assert writer.read(5) == "OK"
    assert reader.read(5) in (b"before", b"during")
    assert [parked.read(5) for _ in range(3)] == ["OK", "QUEUED", [1]]
    assert time.monotonic() - back < 1.5, "service is not back within a second of Redis"
    assert reader.command("GET", "k") == b"during"


def test_beyond_hold_the_connection_is_closed_without_an_error_reply(start):
    redis, sidecar = start.both("--hold", "500ms")
    client, idle = start.clients(sidecar, 2)
    assert client.command("PING") == "PONG"
    redis.kill()
    upstream_lost(sidecar)
    client.send_command("GET", "k")
    assert client.wait_closed(5) == []
    late = start.client(sidecar)
    late.send_command("GET", "k")
    began = time.monotonic()
    assert late.wait_closed(5) == [], "a later command is closed at once as well"
    assert time.monotonic() - began < 0.4
    redis.start()
    eventually(lambda: sidecar.http("/readyz")[0] == 200, 5)
    assert idle.command("PING", timeout=5) == "PONG", "an idle client is left alone"


def test_idle_clients_do_not_notice_a_restart(start):
    redis, sidecar = start.both(**DURABLE)
    clients = start.clients(sidecar, 20)
    for number, client in enumerate(clients):
        assert client.command("SET", f"k{number}", number) == "OK"
    redis.restart()
    for number, client in enumerate(clients):
        assert client.command("GET", f"k{number}") == str(number).encode()


def test_an_unanswered_read_is_retried_and_an_unanswered_write_is_not(start):
    redis, sidecar = start.both(**DURABLE)
    reader, writer = start.clients(sidecar, 2)
    assert writer.command("SET", "n", "10") == "OK"
    redis.freeze()  # Takes what is written to it, answers nothing.
    reader.send_command("GET", "n")
    writer.send_command("INCR", "n")
    eventually(lambda: sidecar.metric("sidecar_commands_total", command="incr") >= 0, 1)
    time_for_both_to_be_written(sidecar)
    redis.kill()
    redis.start()
    assert reader.read(5) == b"10"
    assert writer.wait_closed(5) == [], "unknown outcome: no reply, and no second INCR"
    assert redis.command("GET", "n") == b"10"


def time_for_both_to_be_written(sidecar):
    """A third client's round trip through the sidecar's own console shows that its loop has run meanwhile."""
    with sidecar.client() as client:
        for _ in range(5):
            client.command("CLIENT", "ID")


def test_earlier_replies_are_delivered_before_the_close(start):
    redis, sidecar = start.both()
    client = start.client(sidecar)
    assert client.command("SET", "a", "1") == "OK"
    client.send(encode("GET", "a") + encode("DEBUG", "SLEEP", "0") + encode("PING"))
    frames = client.read_frames(3)
    assert frames[0] == b"$1\r\n1\r\n"
    redis.freeze()
    client.send(encode("CLIENT", "ID") + encode("INCR", "a"))
    assert client.read_frame().startswith(b":")
    time_for_both_to_be_written(sidecar)
    redis.kill()
    assert client.wait_closed(5) == []


@pytest.mark.parametrize("how", ["kill", "restart"])
def test_a_parked_pop_survives_a_restart_and_gets_its_element(start, how):
    redis, sidecar = start.both("--hold", "200ms")
    waiters = {
        "BLPOP": (("BLPOP", "list", 0), [b"list", b"x"]),
        "BZPOPMIN": (("BZPOPMIN", "zset", 0), [b"zset", b"m", b"1"]),
        "BLMOVE": (("BLMOVE", "from", "to", "LEFT", "RIGHT", 0), b"y"),
        "XREAD": (("XREAD", "BLOCK", 0, "STREAMS", "stream", "0"), [[b"stream", [[b"1-1", [b"f", b"v"]]]]]),
    }
    clients = {name: start.client(sidecar) for name in waiters}
    for name, (command, _) in waiters.items():
        clients[name].send_command(*command)
    eventually(lambda: redis.blocked_clients() == len(waiters))
    if how == "kill":
        redis.kill()
        upstream_lost(sidecar)
        redis.start()
    else:
        redis.restart()
    eventually(lambda: redis.blocked_clients() == len(waiters), 10, message="not parked again")
    with redis.client() as producer:
        producer.pipeline(
            ("RPUSH", "list", "x"),
            ("ZADD", "zset", 1, "m"),
            ("RPUSH", "from", "y"),
            ("XADD", "stream", "1-1", "f", "v"),
        )
    for name, (_, expected) in waiters.items():
        assert clients[name].read() == expected, name


def test_a_parked_pop_keeps_its_deadline_over_a_restart(start):
    redis, sidecar = start.both()
    client = start.client(sidecar)
    began = time.monotonic()
    client.send_command("BLPOP", "none", 2)
    eventually(lambda: redis.blocked_clients() == 1)
    redis.restart()
    assert client.read(6) is None
    assert 1.8 < time.monotonic() - began < 3.2


def test_subscriptions_are_replayed(start):
    redis, sidecar = start.both("--threads", "4")
    subscribers = start.clients(sidecar, 6)
    for number, client in enumerate(subscribers):
        client.command("SUBSCRIBE", "everyone", timeout=5)
        client.command("PSUBSCRIBE", f"only-{number}*", timeout=5)
    redis.kill()
    upstream_lost(sidecar)
    redis.start()

    def all_back():
        counts = redis.command("PUBSUB", "NUMSUB", "everyone")
        return counts[1] >= 1 and redis.command("PUBSUB", "NUMPAT") == 6

    eventually(all_back, 10, message="not subscribed again")
    assert sidecar.metric("sidecar_subscription_gaps_total") >= 1, "messages may be lost and nobody says so"
    publisher = start.client(sidecar)
    assert eventually(lambda: publisher.command("PUBLISH", "everyone", "hi") == 6, 5)
    assert publisher.command("PUBLISH", "only-3x", "you") == 1
    for client in subscribers:
        assert client.read(5)[-1] == b"hi"
    assert eventually(lambda: b"you" in subscribers[3].read(5))


def test_a_watch_does_not_survive_a_restart_unguarded(start):
    redis, sidecar = start.both(**DURABLE)
    client = start.client(sidecar)
    client.pipeline(("SET", "k", "1"), ("WATCH", "k"))
    redis.restart()
    redis.command("SET", "k", "2")
    client.send(encode("MULTI") + encode("SET", "k", "3") + encode("EXEC"))
    try:
        replies = [client.read(5) for _ in range(3)]
        assert replies[-1] is None, "EXEC must fail"
    except Closed:
        pass
    assert redis.command("GET", "k") == b"2"


def test_a_transaction_typed_step_by_step_is_never_half_done(start):
    redis, sidecar = start.both(**DURABLE)
    client = start.client(sidecar)
    client.pipeline(("MULTI",), ("INCR", "a"))
    redis.restart()
    client.send(encode("INCR", "b") + encode("EXEC"))
    with pytest.raises(Closed):
        for _ in range(2):
            assert not isinstance(client.read(5), list)
    assert redis.command("MGET", "a", "b") in ([None, None], [b"1", b"1"])


def test_ready_follows_redis(start):
    redis, sidecar = start.both()
    eventually(lambda: sidecar.http("/readyz")[0] == 200, 5)
    redis.kill()
    upstream_lost(sidecar)
    assert sidecar.http("/healthz")[0] == 200
    redis.start()
    eventually(lambda: sidecar.http("/readyz")[0] == 200, 5)


def test_many_clients_work_through_three_restarts(start):
    redis, sidecar = start.both("--threads", "2", **DURABLE)
    clients = start.clients(sidecar, 30)
    done = [0] * len(clients)
    for _ in range(3):
        for number, client in enumerate(clients):
            done[number] += 1
            assert client.command("SET", f"k{number}", done[number]) == "OK"
        redis.restart()
    for number, client in enumerate(clients):
        assert client.command("GET", f"k{number}") == str(done[number]).encode()
