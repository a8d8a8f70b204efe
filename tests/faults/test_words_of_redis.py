"""Errors that tell of Redis's state are the one client's that got them; connections and neighbours stay."""

import pytest

from support import eventually
from support.processes import free_port


@pytest.mark.parametrize(
    "setting, value, code",
    [("maxmemory", "1", "OOM"), ("min-replicas-to-write", "1", "NOREPLICAS")],
)
def test_a_refused_write_is_passed_on(start, setting, value, code):
    redis, sidecar = start.both()
    client, neighbour = start.clients(sidecar, 2)
    assert client.command("SET", "k", "v") == "OK"
    usual = redis.command("CONFIG", "GET", setting)[1]
    redis.command("CONFIG", "SET", setting, value)
    replies = client.pipeline(("SET", "k", "w"), ("GET", "k"), ("SET", "k", "x"), ("PING",))
    assert [replies[0].code, replies[2].code] == [code, code]
    assert [replies[1], replies[3]] == [b"v", "PONG"]
    assert neighbour.command("GET", "k") == b"v"
    assert client.pipeline(("MULTI",), ("SET", "k", "w"), ("EXEC",))[-1].code in ("EXECABORT", code)
    redis.command("CONFIG", "SET", setting, usual)
    assert client.command("SET", "k", "w") == "OK"
    assert sidecar.metric("sidecar_links_lost_total") == 0


def test_a_replica_without_its_master_is_passed_on(start):
    redis, sidecar = start.both(replica_serve_stale_data="no")
    client = start.client(sidecar)
    assert client.command("SET", "k", "v") == "OK"
    redis.command("REPLICAOF", "127.0.0.1", free_port())
    assert client.command("GET", "k").code == "MASTERDOWN"
    redis.command("REPLICAOF", "NO", "ONE")
    assert client.command("GET", "k") == b"v"


def test_a_parked_call_hears_of_a_change_of_role(start):
    """Redis ends it with -UNBLOCKED and closes that connection, which is the client's alone."""
    redis, sidecar = start.both("--threads", "1")
    waiting, neighbour = start.clients(sidecar, 2)
    waiting.send_command("BLPOP", "q", 0)
    eventually(lambda: redis.blocked_clients() == 1)
    redis.command("REPLICAOF", "127.0.0.1", free_port())
    assert waiting.read().code == "UNBLOCKED"
    assert neighbour.command("PING") == "PONG"
    redis.command("REPLICAOF", "NO", "ONE")
    assert waiting.command("RPUSH", "q", "element") == 1
    assert waiting.command("BLPOP", "q", 1) == [b"q", b"element"]
    eventually(lambda: sidecar.metric("sidecar_leases_in_use") == 0)


def test_a_write_to_a_replica_renews_the_connections(start):
    """After a failover the address may belong to another Redis: the client hears -READONLY, and the next
    commands go out on a connection made anew."""
    redis, sidecar = start.both("--threads", "1")
    client = start.client(sidecar)
    assert client.command("SET", "k", "v") == "OK"
    opened = sidecar.metric("sidecar_links_opened_total")
    redis.command("REPLICAOF", "127.0.0.1", free_port())
    assert client.command("SET", "k", "w").code == "READONLY"
    eventually(lambda: sidecar.metric("sidecar_links_opened_total") == opened, 1)
    assert client.command("GET", "k") == b"v"
    eventually(lambda: sidecar.metric("sidecar_links_opened_total") > opened)
    redis.command("REPLICAOF", "NO", "ONE")
    assert client.command("SET", "k", "w") == "OK"


def test_a_password_changed_while_running(start, tmp_path):
    """Connections that stand keep working; once Redis drops them, a reload brings the new password."""
    redis = start.redis(password="first")
    path = tmp_path / "sidecar.toml"
    path.write_text('redis_password = "first"\n')
    sidecar = start.sidecar(f"redis://127.0.0.1:{redis.port}", "--config", path)
    client = start.client(sidecar)
    assert client.command("SET", "k", "v") == "OK"
    redis.command("CONFIG", "SET", "requirepass", "second")
    redis.password = "second"
    assert client.command("GET", "k") == b"v"
    path.write_text('redis_password = "second"\n')
    sidecar.reload()
    eventually(lambda: "configuration reloaded" in sidecar.log())
    redis.command("CLIENT", "KILL", "TYPE", "normal")
    # A connection may have tried before its thread heard of the new password.
    eventually(lambda: client.command("GET", "k") == b"v", 10)
    eventually(lambda: sidecar.http("/readyz")[0] == 200)


def test_monitor_has_a_connection_of_its_own(start):
    _, sidecar = start.both("--policy", "open")
    monitor, neighbour = start.clients(sidecar, 2)
    assert monitor.command("MONITOR") == "OK"
    for number in range(20):
        assert neighbour.command("SET", "k", number) == "OK"
        # It sees the sidecar's other connections come as well.
        line = monitor.read()
        while '"k"' not in line:
            line = monitor.read()
        assert f'"SET" "k" "{number}"' in line, line
    assert sidecar.metric("sidecar_leases_in_use") == 1
    monitor.close()
    eventually(lambda: sidecar.metric("sidecar_leases_in_use") == 0)
    assert neighbour.command("GET", "k") == b"19"


def test_replication_is_refused(start):
    redis, sidecar = start.both("--policy", "open")
    client, neighbour = start.clients(sidecar, 2)
    for words in (("SYNC",), ("PSYNC", "?", "-1"), ("REPLCONF", "listening-port", "1")):
        assert client.command(*words).text == "ERR replication does not go through the sidecar"
        assert neighbour.command("SET", "k", "v") == "OK"
    assert client.command("GET", "k") == b"v"
    assert redis.info("replication", "connected_slaves") == "0"
