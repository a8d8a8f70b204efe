"""Start, drain, reload, wrong passwords, a Redis that is still loading."""

import contextlib
import threading
import time

import pytest

from support import Closed, StartFailed, encode, eventually
from support.wire import RawClient

WRONG = b"-WRONGPASS upstream refused the sidecar's password\r\n"


def terminate(sidecar):
    sidecar.process.terminate()


def test_drain_finishes_what_is_in_flight(start):
    redis, sidecar = start.both("--drain", "10s")
    parked, slow, idle = start.clients(sidecar, 3)
    parked.send_command("BLPOP", "l", 0)
    eventually(lambda: redis.blocked_clients() == 1)
    redis.freeze()
    slow.send_command("SET", "k", "v")
    idle.command("CLIENT", "ID")
    terminate(sidecar)
    redis.thaw()
    assert parked.read(5) is None, "a parked pop is answered nil"
    assert slow.read(5) == "OK", "a command in flight is answered"
    for client in (parked, slow, idle):
        assert client.wait_closed(10) == []
    assert sidecar.process.wait(12) == 0
    assert redis.command("GET", "k") == b"v"
    assert redis.blocked_clients() == 0


def test_drain_accepts_nobody_new(start):
    redis, sidecar = start.both("--drain", "5s")
    busy = start.client(sidecar)
    busy.command("PING")
    redis.freeze()
    busy.send_command("GET", "k")
    start.client(sidecar).command("CLIENT", "ID")
    terminate(sidecar)

    def refused():
        try:
            with RawClient(sidecar.address, timeout=1) as late:
                late.send_command("CLIENT", "ID")
                late.read_frame(0.2)
        except (OSError, Closed):
            return True
        except AssertionError:
            return False
        return False

    eventually(refused, 3)
    redis.thaw()
    assert busy.read(5) is None
    assert sidecar.process.wait(10) == 0


def test_drain_ends_within_its_time_although_redis_hangs(start):
    redis, sidecar = start.both("--drain", "1s")
    client = start.client(sidecar)
    client.command("PING")
    redis.freeze()
    client.send_command("INCR", "n")
    began = time.monotonic()
    terminate(sidecar)
    sidecar.process.wait(8)
    assert time.monotonic() - began < 4
    redis.thaw()


def test_drain_loses_no_element(start):
    redis, sidecar = start.both()
    waiters = start.clients(sidecar, 20)
    for client in waiters:
        client.send_command("BRPOP", "l", 0)
    eventually(lambda: redis.blocked_clients() == 20)
    stop = threading.Event()
    pushed = 0

    def push():
        nonlocal pushed
        with redis.client() as producer:
            while not stop.is_set() and pushed < 5000:
                producer.command("LPUSH", "l", pushed)
                pushed += 1

    producer = threading.Thread(target=push)
    producer.start()
    received = [client.read(5) for client in waiters[:5]]
    terminate(sidecar)
    received += [client.read(5) for client in waiters[5:]]
    sidecar.process.wait(15)
    stop.set()
    producer.join()
    got = [reply[1] for reply in received if reply]
    left = redis.command("LRANGE", "l", 0, -1)
    assert len(got) + len(left) == pushed
    assert len(set(got) | set(left)) == pushed


def write_configuration(path, body):
    path.write_text(body)
    return path


def test_a_bad_file_at_reload_keeps_the_old_settings(start, tmp_path):
    redis = start.redis()
    good = '[users.reader]\npassword = "secret"\nreadonly = true\n'
    path = write_configuration(tmp_path / "sidecar.toml", good)
    sidecar = start.sidecar(redis, "--config", path)
    start.client(sidecar, user="reader", password="secret")
    write_configuration(path, "this is = = not toml [")
    sidecar.reload()
    eventually(lambda: "sidecar.toml" in sidecar.log(), 5, message="the refusal is not logged")
    client = start.client(sidecar, user="reader", password="secret")
    assert client.command("GET", "k") is None
    assert client.command("SET", "k", "v").code == "NOPERM"


def test_a_good_file_at_reload_takes_effect(start, tmp_path):
    redis = start.redis()
    path = write_configuration(tmp_path / "sidecar.toml", '[users.one]\npassword = "secret"\n')
    sidecar = start.sidecar(redis, "--config", path)
    old = start.client(sidecar, user="one", password="secret")
    write_configuration(path, '[users.two]\npassword = "other"\n')
    sidecar.reload()

    def two_may():
        with sidecar.client() as client:
            return client.command("AUTH", "two", "other") == "OK"

    eventually(two_may, 5)
    assert start.client(sidecar).command("AUTH", "one", "secret").code == "WRONGPASS"
    with contextlib.suppress(Closed):
        assert old.command("PING") == "PONG", "kept or closed, nothing else"


def test_wrong_upstream_password(start):
    redis = start.redis(password="right")
    sidecar = start.sidecar(redis.url.replace(":right@", ":wrong-secret@"))
    status, _ = sidecar.http("/readyz")
    assert status == 503
    client = start.client(sidecar)
    client.send(encode("GET", "k") + encode("SET", "k", "v"))
    assert client.read_frames(2) == [WRONG, WRONG]
    eventually(lambda: "WRONGPASS" in sidecar.log() or "password" in sidecar.log())
    assert "wrong-secret" not in sidecar.log(), "the password is in the log"
    redis.command("CONFIG", "SET", "requirepass", "wrong-secret")
    redis.password = "wrong-secret"
    eventually(lambda: sidecar.http("/readyz")[0] == 200, 15, message="does not recover")
    assert start.client(sidecar).command("SET", "k", "v") == "OK"


def test_upstream_needs_a_password_and_none_is_given(start):
    redis = start.redis(password="right")
    sidecar = start.sidecar(f"redis://127.0.0.1:{redis.port}")
    assert sidecar.http("/readyz")[0] == 503
    reply = start.client(sidecar).command("GET", "k")
    assert reply.code in ("WRONGPASS", "NOAUTH")


def test_one_password_for_both_sides(start):
    redis = start.redis(password="shared")
    sidecar = start.sidecar(f"redis://127.0.0.1:{redis.port}", "--password", "shared")
    client = start.client(sidecar)
    assert client.command("GET", "k").text == "NOAUTH Authentication required."
    assert client.command("AUTH", "shared") == "OK"
    assert client.command("SET", "k", "v") == "OK"


def test_redis_is_loading_at_start(start):
    redis = start.redis(appendonly="yes", appendfsync="no", key_load_delay="0")
    redis.command("DEBUG", "POPULATE", 30_000, "key", 10)
    redis.command("BGREWRITEAOF")
    eventually(lambda: redis.info("persistence", "aof_rewrite_in_progress") == "0", 20)
    redis.stop()
    redis.options |= {"key_load_delay": 20, "loading-process-events-interval-bytes": 1024}
    redis.start(wait_ready=False)

    def loading():
        try:
            reply = redis.command("GET", "k")
        except (OSError, Closed):
            return False
        return getattr(reply, "code", "") == "LOADING"

    eventually(loading, 10, interval=0.001, message="Redis loads too fast for this test")
    sidecar = start.sidecar(redis, "--hold", "60s")
    client = start.client(sidecar, timeout=60)
    reply = client.command("GET", "key:7", timeout=60)
    assert reply is not None and not hasattr(reply, "code"), f"LOADING means not yet: {reply}"
    eventually(lambda: sidecar.http("/readyz")[0] == 200)


def test_redis_is_not_there_at_start(start):
    redis = start.redis()
    redis.stop()
    sidecar = start.sidecar(redis, "--hold", "10s")
    assert sidecar.http("/readyz")[0] == 503
    assert sidecar.http("/healthz")[0] == 200
    client = start.client(sidecar)
    client.send_command("SET", "k", "v")
    redis.start()
    assert client.read(5) == "OK"


@pytest.mark.parametrize(
    "flags, named",
    [
        (("--policy", "loose"), "policy"),
        (("--threads", "0"), "threads"),
        (("--threads", "many"), "threads"),
        (("--hold", "soon"), "hold"),
        (("--redis", "http://localhost"), "redis"),
        (("--redis", "redis://127.0.0.1:99999"), "redis"),
        (("--tls-listen", "127.0.0.1:0"), "tls"),
        (
            (
                "--tls-listen",
                "127.0.0.1:0",
                "--tls-cert",
                "/nonexistent.crt",
                "--tls-key",
                "/nonexistent.key",
            ),
            "nonexistent",
        ),
        (("--config", "/nonexistent.toml"), "nonexistent"),
        (("--unix", "/nonexistent/directory/sidecar.sock"), "nonexistent"),
        (("--listen", "256.1.1.1:0"), "256.1.1.1"),
        (("--client-output-max", "-1"), "client-output-max"),
        (("--no-such-flag",), "no-such-flag"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_an_unusable_setting_ends_the_start_and_is_named(start, flags, named):
    with pytest.raises(StartFailed) as failed:
        start.sidecar("redis://127.0.0.1:1", *flags)
    text = str(failed.value)
    assert "exit status 0" not in text and "still running" not in text
    assert named in text.lower()
    assert len([line for line in text.splitlines()[1:] if line.strip()]) <= 3, f"one clear line: {text}"


def test_a_taken_port_is_named(start):
    _, sidecar = start.both()
    taken = "{}:{}".format(*sidecar.address)
    with pytest.raises(StartFailed, match=taken):
        start.sidecar("redis://127.0.0.1:1", listen=taken)
