"""redis.asyncio in both protocols: pools, transactions, pub/sub, cancelled blocking calls."""

import asyncio

import pytest
import redis
import redis.asyncio

from clients.waiting import becomes_true


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def run(empty, request):
    """Runs scenario(client) in an event loop of its own."""

    def run_scenario(scenario, **options):
        async def main():
            async with redis.asyncio.from_url(empty.cache_url, protocol=request.param, **options) as client:
                await asyncio.wait_for(scenario(client), 60)

        asyncio.run(main())

    return run_scenario


def test_concurrent_tasks_each_get_their_own_replies(run):
    async def scenario(client):
        async def work(number):
            for turn in range(20):
                assert await client.set(f"k{number}", f"{number}-{turn}")
                assert await client.get(f"k{number}") == f"{number}-{turn}".encode()

        await asyncio.gather(*(work(number) for number in range(100)))
        assert await client.dbsize() == 100

    run(scenario)


def test_transactions_and_watch(run):
    async def scenario(client):
        await client.set("n", 0)

        async def increment(pipeline):
            value = int(await pipeline.get("n"))
            pipeline.multi()
            pipeline.set("n", value + 1)

        await asyncio.gather(*(client.transaction(increment, "n") for _ in range(40)))
        assert await client.get("n") == b"40"
        async with client.pipeline(transaction=True) as pipeline:
            replies = await pipeline.incr("n").hset("h", "f", "v").hgetall("h").execute()
        assert replies == [41, 1, {b"f": b"v"}]

    run(scenario)


def test_pubsub_with_many_subscribers(run):
    async def scenario(client):
        received = [[] for _ in range(20)]
        subscribed = asyncio.Barrier(21)

        async def listen(inbox):
            async with client.pubsub() as subscriber:
                await subscriber.subscribe("room")
                await subscriber.psubscribe("ro*")
                for _ in range(2):
                    assert "subscribe" in (await subscriber.get_message(timeout=5))["type"]
                await subscribed.wait()
                while len(inbox) < 100:
                    message = await subscriber.get_message(timeout=5)
                    assert message, f"only {len(inbox)} messages"
                    inbox.append((message["type"], int(message["data"])))

        listeners = [asyncio.create_task(listen(inbox)) for inbox in received]
        await subscribed.wait()
        for number in range(50):
            assert await client.publish("room", number) == 40
        await asyncio.gather(*listeners)
        for inbox in received:
            assert [number for kind, number in inbox if kind == "message"] == list(range(50))
            assert [number for kind, number in inbox if kind == "pmessage"] == list(range(50))

    run(scenario)


def test_a_cancelled_pop_takes_nothing(run, empty):
    async def scenario(client):
        waiting = asyncio.create_task(client.blpop("jobs", 30))
        await becomes_true(lambda: empty.redis.blocked_clients() == 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await becomes_true(lambda: empty.redis.blocked_clients() == 0)
        await client.rpush("jobs", "kept")
        assert list(await client.blpop("jobs", 5)) == [b"jobs", b"kept"]

    run(scenario)


def test_many_parked_pops_are_all_served(run):
    async def scenario(client):
        pops = [asyncio.create_task(client.brpop(["urgent", "normal"], 30)) for _ in range(150)]
        for number in range(150):
            await client.lpush("urgent" if number % 3 else "normal", number)
        popped = [int(value) for _, value in await asyncio.gather(*pops)]
        assert sorted(popped) == list(range(150))

    run(scenario, max_connections=200)


def test_blocking_reads_of_a_stream(run):
    async def scenario(client):
        async def read():
            last, got = "0", []
            while len(got) < 20:
                reply = await client.xread({"s": last}, block=5000)
                streams = reply.items() if isinstance(reply, dict) else reply
                for _, entries in streams:
                    entries = entries[0] if entries and isinstance(entries[0], list) else entries
                    got += [fields[b"n"] for _, fields in entries]
                    last = entries[-1][0]
            return got

        reader = asyncio.create_task(read())
        for number in range(20):
            await client.xadd("s", {"n": number})
        assert await reader == [str(number).encode() for number in range(20)]

    run(scenario)


def test_a_timed_out_client_does_not_shift_replies(run):
    async def scenario(client):
        await client.set("a", "A")
        with pytest.raises(redis.TimeoutError):
            await client.blpop("nothing", 30)
        assert await client.get("a") == b"A"

    run(scenario, socket_timeout=0.4, max_connections=1)
