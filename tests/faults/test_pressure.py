"""Clients that misbehave, and a Redis that is short of something."""

import resource
import time

import pytest

from support import Closed, encode, eventually, slack
from support.wire import RawClient

MEGABYTE = 1 << 20


def descriptors_allow(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= count


def test_a_client_that_never_reads_is_closed_and_others_are_not_affected(start):
    redis, sidecar = start.both("--client-output-max", "8mb")
    redis.command("SET", "big", b"x" * MEGABYTE)
    greedy = start.client(sidecar, receive_buffer=4096)
    other = start.client(sidecar)
    before = sidecar.resident_bytes()
    greedy.socket.settimeout(1)
    greedy.send(encode("GET", "big") * 200, read_meanwhile=False)
    worst = 0.0

    def closed():
        nonlocal worst
        began = time.monotonic()
        assert other.command("PING") == "PONG"
        worst = max(worst, time.monotonic() - began)
        return sidecar.metric("sidecar_clients_closed_output_total") == 1

    eventually(closed, 20, message="the client that never reads is still there")
    assert worst < slack(2)
    assert sidecar.resident_bytes() - before < slack(100 * MEGABYTE)
    eventually(lambda: len(other.command("CLIENT", "LIST").splitlines()) == 1, 5)


def test_a_subscriber_that_never_reads_is_closed_alone(start):
    _, sidecar = start.both("--client-output-max", "4mb")
    lazy, reading = start.client(sidecar, receive_buffer=4096), start.client(sidecar)
    for client in (lazy, reading):
        client.command("SUBSCRIBE", "ch")
    publisher = start.client(sidecar)
    payload, sent = b"y" * 100_000, 0
    while sent < 400:
        received = publisher.command("PUBLISH", "ch", payload)
        sent += 1
        assert reading.read()[2] == payload
        if received == 1:
            break
    assert received == 1, "the lazy subscriber is still counted"
    assert publisher.command("PUBLISH", "ch", "end") == 1
    assert reading.read()[2] == b"end"


def test_a_large_reply_does_not_delay_others(start):
    redis, sidecar = start.both("--client-output-max", "256mb")
    redis.command("SET", "huge", b"z" * (100 * MEGABYTE))
    loader, other = start.client(sidecar, timeout=60), start.client(sidecar)
    other.command("SET", "small", "s")
    loader.command("GET", "small")
    delays = []
    for _ in range(2):  # The first shows the sidecar that this client's replies are large.
        loader.send_command("GET", "huge")
        done = False
        while not done:
            began = time.monotonic()
            assert other.command("GET", "small", timeout=30) == b"s"
            delays.append(time.monotonic() - began)
            done = bool(loader.available())
    delays.sort()
    assert delays[-1] < slack(1.5), f"worst of {len(delays)} replies took {delays[-1]:.2f} s"


@pytest.mark.slow
def test_ten_thousand_idle_connections_stay_small(start):
    count = 10_000
    if not descriptors_allow(count + 500):
        pytest.skip("the limit of open files is too low for 10,000 connections")
    _, sidecar = start.both("--max-clients", "11000")
    before = sidecar.resident_bytes()
    clients = [start.client(sidecar) for _ in range(count)]
    eventually(lambda: sidecar.metric("sidecar_clients") >= count, 20, message="not all are counted")
    per_client = (sidecar.resident_bytes() - before) / count
    assert per_client <= slack(4096), f"{per_client:.0f} bytes per idle client"
    assert clients[0].command("PING") == "PONG"
    assert clients[-1].command("PING") == "PONG"


def test_more_clients_than_allowed_are_told_so(start):
    _, sidecar = start.both("--max-clients", "5", "--threads", "2")
    clients = start.clients(sidecar, 5)
    assert all(client.command("PING") == "PONG" for client in clients)
    with RawClient(sidecar.address) as extra:
        assert extra.wait_closed(5) == [b"-ERR max number of clients reached\r\n"]
    clients.pop().close()

    def admitted():
        with RawClient(sidecar.address) as client:
            try:
                return client.command("PING") == "PONG"
            except (Closed, BrokenPipeError):
                return False

    eventually(admitted, 5)


def test_an_auth_flood_is_ended_and_others_work(start):
    _, sidecar = start.both("--password", "right", password="right")
    good = start.client(sidecar, password="right")
    floods = [start.client(sidecar) for _ in range(20)]
    for flood in floods:
        flood.send(encode("AUTH", "wrong") * 1000)
    assert good.command("PING") == "PONG"
    for flood in floods:
        frames = flood.wait_closed(10)
        assert set(frames) == {b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"}
        assert len(frames) < 1000, "guessing is not stopped"
    assert sidecar.metric("sidecar_clients_closed_auth_flood_total") == len(floods)
    assert start.client(sidecar, password="right").command("PING") == "PONG"


@pytest.mark.parametrize(
    "data",
    [
        b"*1000000\r\n" + b"$0\r\n\r\n" * 1000,
        b"*2\r\n$4\r\nECHO\r\n$500000000\r\n" + b"x" * 100_000,
        b"*" + b"1" * 200_000,
        b"$" * 100_000,
        b"\x00" * 200_000,
        b"*3\r\n$3\r\nSET\r\n$-5\r\n",
        b"*2147483647\r\n$1\r\n",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_hostile_bytes_hurt_nobody_else(start, data):
    _, sidecar = start.both("--threads", "1")
    other = start.client(sidecar)
    before = sidecar.resident_bytes()
    for _ in range(20):
        with RawClient(sidecar.address) as client:
            client.send(data)
            assert other.command("ECHO", "still here") == b"still here"
    assert sidecar.resident_bytes() - before < slack(64 * MEGABYTE)
    assert sidecar.running


def test_announced_sizes_are_not_believed(start):
    """500 clients that announce 512 MB each and send little."""
    _, sidecar = start.both()
    before = sidecar.resident_bytes()
    clients = [start.client(sidecar) for _ in range(500)]
    for client in clients:
        client.send(b"*2\r\n$4\r\nECHO\r\n$536870912\r\n" + b"x" * 1000)
    assert start.client(sidecar).command("PING") == "PONG"
    assert sidecar.resident_bytes() - before < slack(64 * MEGABYTE)


def test_pre_auth_memory_is_bounded(start):
    _, sidecar = start.both("--password", "p", password="p")
    client = start.client(sidecar)
    client.send(b"*2\r\n$4\r\nAUTH\r\n$16385\r\n")
    assert client.wait_closed(5) == [b"-ERR Protocol error: unauthenticated bulk length\r\n"]
    client = start.client(sidecar)
    client.send(b"*11\r\n")
    assert client.wait_closed(5) == [b"-ERR Protocol error: unauthenticated multibulk length\r\n"]


def test_half_commands_at_close_reach_nobody(start):
    redis, sidecar = start.both()
    command = encode("SET", "victim", "value") + encode("INCR", "n")
    for cut in range(1, len(command)):
        with RawClient(sidecar.address) as client:
            client.send(command[:cut])
    other = start.client(sidecar)
    assert other.command("PING") == "PONG"
    whole_first = len(encode("SET", "victim", "value"))
    assert redis.command("GET", "victim") in (b"value", None)
    assert redis.command("GET", "n") is None, f"a half command ran ({whole_first})"


def test_redis_out_of_client_slots(start):
    _, sidecar = start.both(maxclients=20)
    clients = start.clients(sidecar, 60)
    for number, client in enumerate(clients):
        client.send_command("BLPOP", f"l{number}", 0)
    worker = start.client(sidecar)
    assert worker.command("SET", "k", "v", timeout=10) == "OK", "shared commands still work"
    for number in range(60):
        assert worker.command("RPUSH", f"l{number}", number) in (0, 1)
    for number, client in enumerate(clients):
        assert client.read(20) == [f"l{number}".encode(), str(number).encode()]


def test_redis_out_of_client_slots_at_start(start):
    redis = start.redis(maxclients=4)
    hogs = []
    while True:
        try:
            hog = RawClient(redis.address)
            if hog.command("PING") != "PONG":
                break
            hogs.append(hog)
        except (Closed, OSError):
            break
    sidecar = start.sidecar(redis)
    assert sidecar.http("/readyz")[0] == 503
    for hog in hogs:
        hog.close()
    redis.command("CONFIG", "SET", "maxclients", 100)
    eventually(lambda: sidecar.http("/readyz")[0] == 200, 10)
    assert start.client(sidecar).command("PING") == "PONG"
