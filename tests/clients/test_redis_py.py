"""redis-py as an application uses it, in both protocols: values, transactions, blocking calls, scripts."""

import random
import threading

import pytest
import redis

from clients.threads import in_threads


def test_data_types_keep_their_values(connect):
    client = connect(decode_responses=True)
    everything = bytes(range(256)) * 64
    raw = connect()
    raw.set("bytes", everything)
    assert raw.get("bytes") == everything
    client.hset("hash", mapping={"a": "1", "b": "zwei"})
    assert client.hgetall("hash") == {"a": "1", "b": "zwei"}
    client.zadd("scores", {"low": 1.5, "high": 2.25})
    scores = client.zrange("scores", 0, -1, withscores=True)
    assert [list(pair) for pair in scores] == [["low", 1.5], ["high", 2.25]]
    assert client.zscore("scores", "none") is None
    client.sadd("set", "x", "y")
    assert client.smembers("set") == {"x", "y"}
    assert client.geoadd("geo", (13.361389, 38.115556, "Palermo")) == 1
    assert client.geopos("geo", "Palermo")[0][0] == pytest.approx(13.361389, abs=1e-5)
    assert client.xadd("stream", {"f": "v"}, id="1-1") == "1-1"
    assert client.set("number", 7) is True and client.incr("number") == 8
    assert client.type("stream") == "stream" and client.exists("nothing") == 0
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.lpush("number", 1)


def test_each_db_is_its_own(connect, empty):
    for db in (0, 1, 2):
        connect(db).set("where", db)
    assert [connect(db).get("where") for db in (0, 1, 2)] == [b"0", b"1", b"2"]
    assert empty.sizes() == [1, 1, 1]


def test_a_deep_pipeline_answers_in_order(connect):
    client = connect()
    pipeline = client.pipeline(transaction=False)
    for number in range(10_000):
        pipeline.set(f"k{number}", number)
        pipeline.get(f"k{number}")
    replies = pipeline.execute()
    assert replies[0::2] == [True] * 10_000
    assert replies[1::2] == [str(number).encode() for number in range(10_000)]


def test_a_transaction_reports_the_failing_command_in_its_place(connect):
    client = connect()
    client.set("text", "no number")
    pipeline = client.pipeline()
    pipeline.set("a", 1).incr("text").set("b", 2)
    replies = pipeline.execute(raise_on_error=False)
    assert replies[0] is True and replies[2] is True
    assert isinstance(replies[1], redis.ResponseError)
    assert client.mget("a", "b") == [b"1", b"2"]


def test_watch_sees_the_write_of_another_client(connect):
    one, other = connect(), connect()
    one.set("balance", 10)
    with one.pipeline() as pipeline:
        pipeline.watch("balance")
        assert pipeline.get("balance") == b"10"
        other.set("balance", 11)
        pipeline.multi()
        pipeline.set("balance", 99)
        with pytest.raises(redis.WatchError):
            pipeline.execute()
    assert one.get("balance") == b"11"


def test_optimistic_increments_lose_nothing(connect):
    client = connect()
    client.set("counter", 0)

    def increment(pipeline):
        value = int(pipeline.get("counter"))
        pipeline.multi()
        pipeline.set("counter", value + 1)

    def work():
        for _ in range(20):
            client.transaction(increment, "counter")

    in_threads(6, work)
    assert client.get("counter") == b"120"


def test_many_threads_each_get_their_own_replies(connect):
    client = connect()

    def work():
        mine = random.Random(threading.get_ident())
        for _ in range(150):
            key = f"key-{threading.get_ident()}-{mine.random()}"
            value = mine.randbytes(mine.choice([1, 40, 5000]))
            with client.pipeline(transaction=mine.random() < 0.3) as pipeline:
                replies = pipeline.set(key, value).get(key).delete(key).get(key).execute()
            assert replies == [True, value, 1, None]

    in_threads(24, work)


def test_a_large_value_does_not_change(connect):
    client = connect()
    value = random.Random(1).randbytes(24 * 1024 * 1024)
    client.set("large", value)
    assert client.get("large") == value
    assert client.getrange("large", 1000, 1010) == value[1000:1011]


def test_blocking_pops_wait_for_another_client(connect):
    client, producer = connect(), connect()
    popped = []
    consumer = threading.Thread(target=lambda: popped.extend(client.blpop("jobs", 20) for _ in range(50)))
    consumer.start()
    for number in range(50):
        producer.rpush("jobs", number)
    consumer.join(20)
    assert popped == [(b"jobs", str(number).encode()) for number in range(50)] or popped == [
        [b"jobs", str(number).encode()] for number in range(50)
    ]
    assert client.blpop("jobs", 0.1) is None
    producer.zadd("scores", {"one": 1})
    assert list(client.bzpopmin("scores", 5)) == [b"scores", b"one", 1.0]
    producer.rpush("source", "x")
    assert client.blmove("source", "target", 5) == b"x"
    assert producer.lrange("target", 0, -1) == [b"x"]


def test_stream_groups_share_and_claim_entries(connect):
    producer, worker, second = (connect(decode_responses=True) for _ in range(3))
    producer.xgroup_create("events", "group", id="0", mkstream=True)
    got = []

    def consume():
        while len(got) < 30:
            for _, entries in items(worker.xreadgroup("group", "one", {"events": ">"}, count=4, block=5000)):
                got.extend(entries)

    thread = threading.Thread(target=consume)
    thread.start()
    ids = [producer.xadd("events", {"n": number}) for number in range(30)]
    thread.join(20)
    assert [entry[0] for entry in got] == ids
    assert worker.xack("events", "group", *ids[:25]) == 25
    claimed = second.xautoclaim("events", "group", "two", 0)[1]
    assert [entry[0] for entry in claimed] == ids[25:]


def items(reply):
    """XREADGROUP answers a list of pairs in RESP2 and a map of lists in RESP3."""
    if isinstance(reply, dict):
        return [
            (name, entries[0] if entries and isinstance(entries[0], list) else entries)
            for name, entries in reply.items()
        ]
    return reply or []


def test_scripts_are_loaded_again_after_a_flush(connect, empty):
    client = connect()
    script = client.register_script("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")
    assert script(keys=["n"], args=["x"]) == [b"n", b"x", 1]
    empty.upstream("SCRIPT", "FLUSH")
    assert script(keys=["n"], args=["y"]) == [b"n", b"y", 2]
    client.function_load(
        "#!lua name=lib\nredis.register_function('double', function(_, args) return args[1] * 2 end)",
        replace=True,
    )
    assert client.fcall("double", 0, 21) == 42


def test_locks_exclude_each_other(connect):
    client = connect()
    inside, seen = [], []

    def work():
        for _ in range(5):
            with client.lock("lock", timeout=20, sleep=0.005, blocking_timeout=30):
                inside.append(1)
                seen.append(len(inside))
                inside.pop()

    in_threads(5, work)
    assert seen == [1] * 25
    assert client.get("lock") is None


def test_scan_finds_every_key_once_or_more(connect):
    client = connect()
    client.mset({f"user:{number}": number for number in range(3000)})
    client.set("else", 1)
    assert {*client.scan_iter("user:*", count=200)} == {f"user:{number}".encode() for number in range(3000)}
