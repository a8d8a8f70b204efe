"""Clients nobody knows, many at a time: bounded in number, memory and time; counted; others are served."""

import contextlib
import socket
import ssl
import threading
import time

import pytest

from support import Certificates, Closed, encode, eventually
from support.polling import slack
from support.wire import RawClient

MEGABYTE = 1 << 20
CROWD = 200
PATIENCE = ("--auth-timeout", "1s")
SERVED_SECONDS = 1.0  # a command of a well-behaved client, at worst, on a machine with other things to do


class WellBehaved:
    """Works meanwhile, in a thread of its own."""

    def __init__(self, client):
        self.client = client
        self.worst = 0.0
        self.failure = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopping.set()
        self.thread.join(20)
        if kind is None:
            assert self.failure is None, f"a well-behaved client failed: {self.failure!r}"
            assert self.worst < slack(SERVED_SECONDS), f"a command took {self.worst:.2f} s"

    def _run(self):
        number = 0
        try:
            while not self.stopping.is_set():
                number += 1
                began = time.monotonic()
                assert self.client.pipeline(("SET", "k", number), ("GET", "k")) == [
                    "OK",
                    str(number).encode(),
                ]
                self.worst = max(self.worst, time.monotonic() - began)
                self.stopping.wait(0.005)
        except BaseException as failure:
            self.failure = failure


@pytest.fixture
def crowd():
    """Sockets that end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda address, count=CROWD: [stack.enter_context(RawClient(address)) for _ in range(count)]


def all_closed(sockets):
    return all(each.closed or (each.available() is not None and each.closed) for each in sockets)


def protected(start, *flags):
    return start.both("--password", "right", *flags, password="right")[1]


def test_silent_clients_are_closed_in_time_and_counted(start, crowd):
    sidecar = protected(start, *PATIENCE)
    good = start.client(sidecar, password="right")
    before = sidecar.resident_bytes()
    with WellBehaved(good):
        silent = crowd(sidecar.address)
        eventually(lambda: sidecar.metric("sidecar_clients_unauthenticated") == CROWD)
        assert sidecar.resident_bytes() - before < slack(8 * MEGABYTE)
        eventually(lambda: all_closed(silent), 5)
    assert sidecar.metric("sidecar_clients_closed_auth_timeout_total") == CROWD
    assert sidecar.metric("sidecar_clients_unauthenticated") == 0
    assert "unauthenticated for too long" in sidecar.log()


def test_bytes_that_trickle_buy_no_time(start, crowd):
    """Slowloris: each connection goes on sending a command that never ends."""
    sidecar = protected(start, *PATIENCE)
    good = start.client(sidecar, password="right")
    with WellBehaved(good):
        slow = crowd(sidecar.address)
        command = encode("AUTH", "right" * 1000)
        for number in range(len(command) - 1):
            for each in slow:
                with contextlib.suppress(OSError):
                    each.socket.send(command[number : number + 1])
            if all_closed(slow):
                break
        assert all_closed(slow), "still there at the end of the command"
    assert sidecar.metric("sidecar_clients_closed_auth_timeout_total") == CROWD


def test_strangers_hold_little_memory(start, crowd):
    """Each sends as much as it may without having authenticated."""
    sidecar = protected(start, *PATIENCE)
    good = start.client(sidecar, password="right")
    before = sidecar.resident_bytes()
    most = b"*10\r\n" + (b"$16384\r\n" + b"x" * 16384 + b"\r\n") * 9
    with WellBehaved(good):
        strangers = crowd(sidecar.address)
        for each in strangers:
            each.send(most)
        for excess in (b"*11\r\n", b"*2\r\n$4\r\nAUTH\r\n$16385\r\n", b"x" * 70_000):
            with RawClient(sidecar.address) as client:
                client.send(excess)
                assert client.wait_closed(5)[0].startswith(b"-ERR Protocol error")
        assert sidecar.resident_bytes() - before < slack(CROWD * 10 * 16384 + 16 * MEGABYTE)
        eventually(lambda: all_closed(strangers), 5)
    assert sidecar.metric("sidecar_protocol_errors_total") == 3
    assert sidecar.metric("sidecar_clients_closed_auth_timeout_total") == CROWD


def test_strangers_cannot_keep_others_out(start, crowd):
    """They take every place there is, and would keep it for a minute."""
    places = 40
    sidecar = protected(start, "--max-clients", places, "--auth-timeout", "60s", "--threads", "1")
    known = start.client(sidecar, password="right")
    silent = crowd(sidecar.address, places - 1)
    eventually(lambda: sidecar.metric("sidecar_clients") == places)

    def gets_in():
        with RawClient(sidecar.address, timeout=1) as client:
            try:
                return client.command("AUTH", "right") == "OK" and client.command("PING") == "PONG"
            except (Closed, OSError):
                return False

    eventually(gets_in, 5, message="strangers keep everybody else out")
    assert sidecar.metric("sidecar_clients_closed_for_room_total") == 1
    assert sum(each.closed or all_closed([each]) for each in silent) == 1
    assert known.command("PING") == "PONG"


def test_guessing_passwords_is_slowed_down_for_nobody_else(start):
    sidecar = protected(start)
    good = start.client(sidecar, password="right")
    before = sidecar.resident_bytes()
    guesses = encode("AUTH", "wrong") * 50 + encode("AUTH", "default", "wrong") * 200
    with WellBehaved(good):
        for _ in range(40):
            with RawClient(sidecar.address) as client:
                client.send(guesses)
                frames = client.wait_closed(5)
                assert set(frames) == {b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"}
                assert len(frames) == 100
    assert sidecar.metric("sidecar_auth_failures_total") == 40 * 100
    assert sidecar.metric("sidecar_clients_closed_auth_flood_total") == 40
    assert sidecar.resident_bytes() - before < slack(16 * MEGABYTE)
    assert sidecar.log().count("authentication failed") < 1000, "the log can be flooded"


@pytest.fixture
def tls_site(start, tmp_path):
    certificates = Certificates(tmp_path)
    flags = (
        "--tls-listen",
        "127.0.0.1:0",
        "--tls-cert",
        certificates.certificate,
        "--tls-key",
        certificates.key,
    )
    _, sidecar = start.both(*flags, *PATIENCE)
    return sidecar, certificates.client_context()


def client_hello(context):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def test_tls_handshakes_that_never_end(tls_site, crowd):
    sidecar, context = tls_site
    hello = client_hello(context)
    with RawClient(sidecar.tls_address, tls=context) as secure, sidecar.client() as plain:
        before = sidecar.resident_bytes()
        with WellBehaved(plain), WellBehaved(secure):
            waiting = crowd(sidecar.tls_address)
            for number, each in enumerate(waiting):
                each.send((b"", hello[:40], hello)[number % 3], read_meanwhile=False)
            eventually(lambda: sidecar.metric("sidecar_clients_unauthenticated") == CROWD)
            assert sidecar.resident_bytes() - before < slack(CROWD * 128 * 1024)
            for each in waiting:
                eventually(lambda: ended(each), 5, 0.001)
        assert sidecar.metric("sidecar_tls_handshakes_failed_total") == CROWD
        assert sidecar.metric("sidecar_clients_closed_auth_timeout_total") == CROWD
        assert sidecar.metric("sidecar_clients") == 2, "clients that did finish stay, though they are idle"


def ended(each):
    """These speak no Redis: what comes is thrown away."""
    try:
        while each.socket.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def test_tls_handshakes_that_are_abandoned(tls_site):
    sidecar, context = tls_site
    hello = client_hello(context)
    count = 0
    with RawClient(sidecar.tls_address, tls=context) as secure, sidecar.client() as plain:
        with WellBehaved(plain), WellBehaved(secure):
            for _ in range(20):
                with contextlib.ExitStack() as stack:
                    for _ in range(50):
                        each = stack.enter_context(socket.create_connection(sidecar.tls_address))
                        each.send(hello)
                        count += 1
            eventually(lambda: sidecar.metric("sidecar_tls_handshakes_failed_total") == count, 20)
        assert sidecar.metric("sidecar_clients") == 2


def test_garbage_instead_of_a_handshake_is_counted(tls_site):
    sidecar, _ = tls_site
    for number in range(20):
        with RawClient(sidecar.tls_address) as client:
            client.send(encode("PING") * 100)
            eventually(lambda: ended(client))
        eventually(lambda: sidecar.metric("sidecar_tls_handshakes_failed_total") == number + 1)


def transaction(sidecar, number):
    """Whoever waits longer than the hold is closed, and comes again."""
    with sidecar.client() as client, contextlib.suppress(Closed):
        assert client.command("WATCH", "mine", timeout=5) == "OK"
        client.send(encode("MULTI") + encode("SET", "mine", number) + encode("EXEC"))
        return [client.read(5) for _ in range(3)] == ["OK", "QUEUED", ["OK"]]
    return False


def test_two_thousand_open_transactions_starve_nobody(start, crowd):
    """Each keeps a WATCH or a MULTI and does nothing; there are 64 connections for transactions."""
    count, leases = 2000, 64
    redis, sidecar = start.both("--max-leases", leases, "--threads", "2")
    hoarders = crowd(sidecar.address, count)
    for number, each in enumerate(hoarders):
        each.send_command("WATCH", "k") if number % 2 else each.send_command("MULTI")
    with WellBehaved(start.client(sidecar)):
        for number in range(10):
            eventually(lambda: transaction(sidecar, number), 10)
    assert int(redis.info("clients", "connected_clients")) < leases + 30
    closed = sidecar.metric("sidecar_clients_closed_idle_lease_total")
    assert closed > 0
    assert sidecar.metric("sidecar_clients") > 0


def test_few_descriptors_mean_few_clients_and_not_a_lost_upstream(start, crowd):
    redis = start.redis()
    sidecar = start.sidecar(redis, "--threads", "1", "--max-leases", "16", descriptors=192)
    assert "descriptor limit is low" in sidecar.log()
    clients = crowd(sidecar.address, 192)
    eventually(lambda: sidecar.metric("sidecar_clients_refused_max_total") > 0)
    admitted = [each for each in clients if not each.available() and not each.closed]
    assert 90 <= len(admitted) <= 100
    redis.restart()
    for number, each in enumerate(admitted):
        assert each.command("SET", "k", number) == "OK"
    admitted[0].send_command("BLPOP", "l", 0)
    assert admitted[1].command("RPUSH", "l", "x") == 1
    assert admitted[0].read(5) == [b"l", b"x"]
