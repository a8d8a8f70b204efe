"""What operators see: SIDECAR … from redis-cli, INFO sidecar, metrics, readiness, the log."""

import pytest

from support import eventually


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2], strict=True))


def rows(client, *words):
    return [
        {k.decode(): v.decode() for k, v in pairs(row).items()} for row in client.command("SIDECAR", *words)
    ]


@pytest.fixture(params=("1", "4"), ids=lambda n: f"threads{n}")
def pair(start, request):
    return start.both("--threads", request.param, "--slowlog-slower-than", "20ms")


def test_clients_are_those_of_the_sidecar(start, pair):
    _, sidecar = pair
    asker, worker = start.clients(sidecar, 2)
    worker.command("CLIENT", "SETNAME", "worker-7")
    worker.command("SELECT", 2)
    worker.send_command("BRPOP", "queue", 0)
    mine = eventually(
        lambda: [
            row for row in rows(asker, "CLIENTS") if row["name"] == "worker-7" and row["state"] == "blocked"
        ]
    )
    assert mine[0]["db"] == "2" and mine[0]["addr"].startswith("127.0.0.1:")
    assert len(rows(asker, "CLIENTS")) == 2


def test_pools_show_every_link_and_what_it_carries(start, pair):
    _, sidecar = pair
    client = start.client(sidecar)
    client.command("WATCH", "k")
    pools = rows(client, "POOLS")
    lanes = {row["lane"] for row in pools}
    assert {"main", "lease", "control"} <= lanes
    assert {row["db"] for row in pools if row["lane"] == "main"} == {"0", "1", "2"}
    assert all("@" not in row["upstream"] for row in pools)


def test_stats_count(start, pair):
    _, sidecar = pair
    client = start.client(sidecar)
    before = pairs(client.command("SIDECAR", "STATS"))
    for number in range(50):
        client.command("SET", "k", number)
    client.pipeline(("MULTI",), ("INCR", "n"), ("EXEC",))
    after = pairs(client.command("SIDECAR", "STATS"))
    assert after[b"commands"] - before[b"commands"] >= 53
    assert after[b"whole_transactions"] - before[b"whole_transactions"] == 1
    assert after[b"clients"] == 1


def test_the_slow_log_names_the_client(start, pair):
    _, sidecar = pair
    client = start.client(sidecar)
    client.command("CLIENT", "SETNAME", "report")
    client.command(
        "EVAL",
        "local t = redis.call('TIME') repeat local n = redis.call('TIME') until "
        "(n[1] - t[1]) * 1000000 + n[2] - t[2] > 60000 return 1",
        0,
    )
    slow = rows(client, "SLOWLOG")
    assert slow and slow[0]["name"] == "report" and slow[0]["command"].startswith("EVAL")
    assert int(slow[0]["duration_us"]) >= 60_000
    own = client.command("CLIENT", "INFO").decode()
    assert f"addr={slow[0]['addr']} " in own
    assert client.command("SIDECAR", "SLOWLOG", "RESET") == "OK"
    assert rows(client, "SLOWLOG") == []


def test_help_info_and_unknown_words(start, pair):
    _, sidecar = pair
    client = start.client(sidecar)
    text = "\n".join(client.command("SIDECAR", "HELP"))
    assert all(word in text for word in ("POOLS", "CLIENTS", "STATS", "SLOWLOG"))
    info = client.command("INFO", "sidecar").decode()
    assert info.startswith("# Sidecar\r\n") and "upstream_status:up" in info
    assert b"# Server" in client.command("INFO", "server")
    client.send_command("SIDECAR", "NOSUCH")
    assert client.read_frame().startswith(b"-ERR unknown subcommand 'NOSUCH'")
    assert client.command("PING") == "PONG"


def test_metrics_tell_by_db_and_command(start, pair):
    _, sidecar = pair
    client = start.client(sidecar)
    client.command("SELECT", 1)
    client.command("SET", "k", "v")
    client.send_command("INCR", "k")
    assert client.read_frame().startswith(b"-ERR")
    metrics = sidecar.metrics()
    assert metrics['sidecar_commands_total{db="1",command="set"}'] == 1
    assert metrics['sidecar_command_errors_total{db="1",command="incr"}'] == 1
    assert metrics['sidecar_command_duration_seconds_count{db="1",command="set"}'] == 1
    assert metrics["sidecar_clients"] == 1
    assert all(metrics[f'sidecar_upstream_up{{db="{db}"}}'] == 1 for db in (0, 1, 2))


def test_readiness_follows_redis(start, pair):
    redis, sidecar = pair
    assert sidecar.http("/healthz")[0] == 200
    assert sidecar.http_json("/readyz")["ready"] is True
    redis.kill()
    eventually(lambda: sidecar.http("/readyz")[0] == 503)
    assert sidecar.http("/healthz")[0] == 200
    redis.start()
    eventually(lambda: sidecar.http("/readyz")[0] == 200)
