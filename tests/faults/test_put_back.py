"""An element popped for a client that is gone is not lost, not doubled, and keeps its place and expiry."""

import random

import pytest

from support import eventually

ROUNDS = 60


def gone_before_the_reply(redis, sidecar, command, ending):
    """The pop is written, then its client goes, then Redis answers."""
    others = sidecar.metric("sidecar_clients")
    client = sidecar.client()
    assert client.command("PING") == "PONG"
    redis.freeze()
    client.send_command(*command)
    client.send_command("PING")
    getattr(client, ending)()
    eventually(lambda: sidecar.metric("sidecar_clients") == others, message="the client is still counted")
    redis.thaw()
    eventually(lambda: redis.blocked_clients() == 0)


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("pop", ["BLPOP", "BRPOP"])
def test_an_element_that_was_there_is_back_in_its_place(start, pop, ending):
    redis, sidecar = start.both()
    elements = [str(number).encode() for number in range(5)]
    with redis.client() as direct:
        direct.pipeline(("RPUSH", "l", *elements), ("EXPIRE", "l", 1000))
    for _ in range(ROUNDS // 2):
        gone_before_the_reply(redis, sidecar, (pop, "l", 0), ending)
        eventually(lambda: redis.command("LRANGE", "l", 0, -1) == elements, 3)
    assert 900 < redis.command("TTL", "l") <= 1000


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_nothing_is_doubled_when_the_client_goes_at_any_moment(start, ending):
    """What the kernel has taken for a client that is gone counts as delivered and may be missing. One client
    after the other: of two that have popped, either's element may be back first."""
    redis, sidecar = start.both("--threads", "2")

    def over(clients):
        samples = sidecar.metrics()
        names = ("clients_accepted_total", "clients", "commands_in_flight")
        return [samples[f"sidecar_{name}"] for name in names] == [clients, 0, 0]

    redis.command("RPUSH", "l", *range(ROUNDS * 3))
    for number in range(ROUNDS * 2):
        client = sidecar.client()
        client.send_command("BLPOP", "l", 0)
        getattr(client, ending)()
        eventually(lambda: over(number + 1), interval=0.001)
    left = redis.command("LRANGE", "l", 0, -1)
    assert len(left) == len(set(left)), "an element was doubled"
    assert sorted(left, key=int) == left, "an element came back in another place"


@pytest.mark.parametrize("pop", ["BLPOP", "BRPOP"])
def test_the_client_dies_while_parked(start, pop):
    redis, sidecar = start.both()
    for number in range(ROUNDS):
        client = sidecar.client()
        client.send_command(pop, f"l{number}", 0)
        eventually(lambda: redis.blocked_clients() == 1, interval=0.001)
        client.close()
        redis.command("RPUSH", f"l{number}", f"element-{number}")
        eventually(lambda: redis.blocked_clients() == 0, interval=0.001)
    for number in range(ROUNDS):
        expected = [f"element-{number}".encode()]
        eventually(lambda: redis.command("LRANGE", f"l{number}", 0, -1) == expected, 3)


def test_the_client_dies_as_the_element_arrives(start):
    """Both at the same moment, in either order. What the kernel has taken for the client may be missing."""
    redis, sidecar = start.both("--threads", "2")
    rng = random.Random(5)
    with redis.client() as producer:
        for number in range(ROUNDS * 3):
            key = f"l{number}"
            client = sidecar.client()
            client.send_command("BLPOP", key, 0)
            eventually(lambda: redis.blocked_clients() == 1, interval=0.001)
            client_first = rng.random() < 0.5
            if client_first:
                client.reset()
            producer.send_command("RPUSH", key, number, "second")
            if not client_first:
                client.reset()
            producer.read()
    eventually(lambda: sidecar.metric("sidecar_clients") == 0 and redis.blocked_clients() == 0)
    for number in range(ROUNDS * 3):
        left = redis.command("LRANGE", f"l{number}", 0, -1)
        assert left in ([str(number).encode(), b"second"], [b"second"]), left


@pytest.mark.parametrize(
    "pop, fill",
    [
        (("BLPOP", "k", 0), ("RPUSH", "k", "only")),
        (("BLMPOP", 0, 1, "k", "LEFT"), ("RPUSH", "k", "only")),
        (("BZPOPMIN", "k", 0), ("ZADD", "k", 2.5, "only")),
        (("BZMPOP", 0, 1, "k", "MAX"), ("ZADD", "k", 2.5, "only")),
    ],
    ids=lambda value: value[0],
)
def test_the_expiry_of_a_key_that_was_emptied_is_restored(start, pop, fill):
    redis, sidecar = start.both()
    for _ in range(10):
        with redis.client() as direct:
            direct.pipeline(("DEL", "k"), fill, ("EXPIRE", "k", 1000))
        before = redis.command("DUMP", "k")
        gone_before_the_reply(redis, sidecar, pop, "close")
        eventually(lambda: redis.command("DUMP", "k") == before, 3, message="the element is lost")
        ttl = redis.command("TTL", "k")
        assert 900 < ttl <= 1000, f"back without its expiry: TTL {ttl}"


def test_scores_are_restored(start):
    redis, sidecar = start.both()
    for number in range(ROUNDS):
        client = sidecar.client()
        client.send_command("BZPOPMIN", f"z{number}", 0)
        eventually(lambda: redis.blocked_clients() == 1, interval=0.001)
        client.close()
        redis.command("ZADD", f"z{number}", number + 0.25, "m")
        eventually(lambda: redis.blocked_clients() == 0, interval=0.001)
    for number in range(ROUNDS):
        expected = [b"m", str(number + 0.25).encode()]
        eventually(lambda: redis.command("ZRANGE", f"z{number}", 0, -1, "WITHSCORES") == expected, 3)


def test_a_waiting_colleague_gets_the_element_of_a_dead_client(start):
    redis, sidecar = start.both()
    for number in range(ROUNDS):
        dying, waiting = sidecar.client(), sidecar.client()
        dying.send_command("BLPOP", "l", 0)
        eventually(lambda: redis.blocked_clients() == 1, interval=0.001)
        waiting.send_command("BLPOP", "l", 0)
        eventually(lambda: redis.blocked_clients() == 2, interval=0.001)
        dying.reset()
        redis.command("RPUSH", "l", number)
        assert waiting.read(5) == [b"l", str(number).encode()]
        waiting.close()
    assert redis.command("LLEN", "l") == 0
