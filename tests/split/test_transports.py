"""TLS towards clients and upstream, unix sockets both ways, one upstream per db."""

import contextlib
import os
import socket
import ssl
import stat

import pytest

from support import RawClient, Sidecar, StartFailed, encode, eventually


def work(client):
    """Every class of command over one connection."""
    assert client.command("SET", "k", "v") == "OK"
    assert client.command("GET", "k") == b"v"
    assert client.pipeline(("MULTI",), ("INCR", "n"), ("EXEC",))[-1]
    assert client.pipeline(("RPUSH", "l", "x"), ("BLPOP", "l", 1)) == [1, [b"l", b"x"]]
    assert client.pipeline(("WATCH", "k"), ("MULTI",), ("GET", "k"), ("EXEC",))[-1] == [b"v"]
    big = b"z" * 3_000_000
    assert client.command("SET", "big", big) == "OK"
    assert client.command("GET", "big") == big
    assert client.command("SUBSCRIBE", "ch") == [b"subscribe", b"ch", 1]
    assert client.command("UNSUBSCRIBE", "ch") == [b"unsubscribe", b"ch", 0]


def tls_flags(certificates):
    return (
        "--tls-listen",
        "127.0.0.1:0",
        "--tls-cert",
        certificates.certificate,
        "--tls-key",
        certificates.key,
    )


@pytest.mark.parametrize("threads", [1, 4])
def test_tls_towards_clients(start, certificates, threads):
    sidecar = start.sidecar(start.redis(), *tls_flags(certificates), "--threads", threads)
    for _ in range(6):
        with RawClient(sidecar.tls_address, tls=certificates.client_context()) as client:
            work(client)
    work(sidecar.client())


def test_tls_alone_without_a_plain_port(start, certificates):
    sidecar = start.sidecar(start.redis(), *tls_flags(certificates))
    with socket.create_connection(sidecar.tls_address) as plain:
        plain.settimeout(5)
        plain.sendall(encode("PING"))
        with contextlib.suppress(ConnectionResetError):
            assert not plain.recv(100).startswith(b"+"), "plain RESP is not spoken on the TLS port"
    with pytest.raises(ssl.SSLError):
        RawClient(sidecar.tls_address, tls=ssl.create_default_context())
    with RawClient(sidecar.tls_address, tls=certificates.client_context()) as client:
        assert client.command("PING") == "PONG"


def test_clients_that_never_finish_the_tls_greeting_hurt_nobody(start, certificates):
    sidecar = start.sidecar(start.redis(), *tls_flags(certificates))
    silent = [socket.create_connection(sidecar.tls_address) for _ in range(200)]
    with RawClient(sidecar.tls_address, tls=certificates.client_context()) as client:
        work(client)
    for one in silent:
        one.close()


def test_rediss_upstream(start, certificates):
    redis = start.redis(certificates=certificates, password="secret")
    sidecar = start.sidecar(redis.tls_url, "--tls-ca", certificates.ca)
    work(sidecar.client())
    clients = redis.command("CLIENT", "LIST").decode().splitlines()
    assert any(f"laddr=127.0.0.1:{redis.tls_port}" in line for line in clients)
    assert not any(f"laddr=127.0.0.1:{redis.port}" in line for line in clients), "a connection without TLS"


def test_an_upstream_certificate_is_verified(start, certificates):
    redis = start.redis(certificates=certificates)
    sidecar = start.sidecar(redis.tls_url, "--hold", "100ms")
    assert sidecar.http("/readyz")[0] == 503
    client = sidecar.client()
    client.send_command("GET", "k")
    assert client.wait_closed(5) == []
    eventually(lambda: "certificate" in sidecar.log().lower(), message="the reason is not logged")


def test_unix_socket_towards_clients(start, tmp_path):
    path = str(tmp_path / "s.sock")
    sidecar = start.sidecar(start.redis(), "--unix", path)
    assert sidecar.ready["unix"] == path
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    with RawClient(path) as client:
        work(client)
    sidecar.stop()
    assert not os.path.exists(path), "the socket file stays behind"


def test_a_stale_unix_socket_is_replaced_and_a_live_one_is_not(start, tmp_path):
    path = str(tmp_path / "s.sock")
    redis = start.redis()
    first = start.sidecar(redis, "--unix", path)
    with pytest.raises(StartFailed, match=r"s\.sock"):
        Sidecar(redis.url, "--unix", path)
    first.kill()
    assert os.path.exists(path)
    start.sidecar(redis, "--unix", path)
    with RawClient(path) as client:
        assert client.command("PING") == "PONG"


def test_unix_socket_upstream(start):
    redis = start.redis()
    sidecar = start.sidecar(redis.unix_url)
    work(sidecar.client())
    listed = redis.command("CLIENT", "LIST").decode()
    assert f"127.0.0.1:{redis.port}" not in listed


def test_one_upstream_per_db(start):
    servers = [start.redis() for _ in range(3)]
    flags = [part for db, redis in enumerate(servers) for part in (f"--db{db}-redis", redis.url)]
    sidecar = start.sidecar(None, *flags, "--threads", "2")
    for db in range(3):
        with sidecar.client(db) as client:
            assert client.command("SET", "k", f"of {db}") == "OK"
            assert client.pipeline(("MULTI",), ("INCR", "n"), ("EXEC",))[-1] == [1]
            assert client.pipeline(("RPUSH", "l", db), ("BLPOP", "l", 1))[-1] == [b"l", str(db).encode()]
    for db, redis in enumerate(servers):
        assert [redis.command("DBSIZE", db=one) for one in range(3)] == [
            2 if one == db else 0 for one in range(3)
        ]
        assert redis.command("GET", "k", db=db) == f"of {db}".encode()


def test_the_loss_of_one_upstream_leaves_the_others_alone(start):
    servers = [start.redis() for _ in range(3)]
    flags = [part for db, redis in enumerate(servers) for part in (f"--db{db}-redis", redis.url)]
    sidecar = start.sidecar(None, *flags, "--hold", "200ms")
    servers[2].kill()
    for db in (0, 1):
        with sidecar.client(db) as client:
            assert client.command("SET", "k", "v") == "OK"
    client = sidecar.client(2)
    client.send_command("GET", "k")
    assert client.wait_closed(5) == []


def test_pub_sub_meets_with_one_upstream_per_db(start):
    servers = [start.redis() for _ in range(3)]
    flags = [part for db, redis in enumerate(servers) for part in (f"--db{db}-redis", redis.url)]
    sidecar = start.sidecar(None, *flags)
    subscriber, publisher = sidecar.client(2), sidecar.client(2)
    subscriber.command("SUBSCRIBE", "/2.celery.pidbox")
    assert publisher.command("PUBLISH", "/2.celery.pidbox", "m") == 1
    assert subscriber.read()[2] == b"m"


def test_a_start_without_acl_setuser_is_warned_about(start):
    redis = start.redis()
    redis.command("ACL", "SETUSER", "limited", "on", ">pw", "~*", "&*", "+@all", "-acl|setuser")
    sidecar = start.sidecar(f"redis://limited:pw@127.0.0.1:{redis.port}")
    assert sidecar.client().command("SET", "k", "v") == "OK"
    eventually(lambda: "ACL SETUSER" in sidecar.log(), 5, message="no warning")
    assert sidecar.metric("sidecar_unconfined_links_total") >= 1
