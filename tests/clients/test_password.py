"""The same clients where a password is set: it is part of the URL and nothing else differs."""

import asyncio

import pytest
import redis
from channels_redis.core import RedisChannelLayer
from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.retry import Retry

from clients.celery_worker import CeleryService
from clients.programs import go_program, node_program, run_scenario, rust_program
from clients.stack import CACHE_DB, Stack

PROGRAMS = {
    "ioredis": (node_program, "ioredis", "transactions"),
    "node-redis": (node_program, "node_redis", "pubsub"),
    "bullmq": (node_program, "bullmq", "flows"),
    "go-redis": (go_program, "goredis", "watch"),
    "rueidis": (go_program, "rueidis", "caching"),
    "redis-rs": (rust_program, "redis_rs", "blocking"),
}


@pytest.fixture(scope="module")
def guarded():
    with Stack(password="correct-horse") as running:
        yield running


@pytest.mark.timeout(600)
@pytest.mark.parametrize("build, program, scenario", PROGRAMS.values(), ids=PROGRAMS.keys())
@pytest.mark.parametrize("protocol", ["2", "3"], ids=["resp2", "resp3"])
def test_programs(guarded, build, program, scenario, protocol):
    guarded.flush()
    run_scenario(build(program), scenario, guarded, RESP=protocol)


@pytest.mark.parametrize("protocol", [2, 3], ids=["resp2", "resp3"])
def test_redis_py_is_let_in_with_the_password_only(guarded, protocol):
    with redis.Redis.from_url(guarded.cache_url, protocol=protocol) as client:
        assert client.set("k", "v") and client.get("k") == b"v"
    once = Retry(NoBackoff(), 0)
    for password, error in (
        (None, "Authentication required|HELLO must be called"),
        ("wrong", "WRONGPASS|invalid"),
    ):
        host, port = guarded.redis.address if guarded.sidecar is None else guarded.sidecar.address
        stranger = redis.Redis(
            host=host, port=port, db=CACHE_DB, password=password, protocol=protocol, retry=once
        )
        with pytest.raises((redis.AuthenticationError, redis.ResponseError), match=error):
            stranger.get("k")
        stranger.close()


def test_a_django_cache(guarded):
    cache = RedisCache(guarded.cache_url, {})
    cache.set_many({"a": 1, "b": 2})
    assert cache.get_many(["a", "b"]) == {"a": 1, "b": 2}


def test_a_channel_layer(guarded):
    async def scenario():
        layer = RedisChannelLayer(hosts=[guarded.channels_url])
        channel = await layer.new_channel()
        await layer.group_add("room", channel)
        await layer.group_send("room", {"type": "hello"})
        assert await asyncio.wait_for(layer.receive(channel), 10) == {"type": "hello"}
        await layer.close_pools()

    asyncio.run(scenario())


def test_celery(guarded, tmp_path):
    service = CeleryService(guarded, tmp_path)
    try:
        results = [service.send("add", number, 1) for number in range(20)]
        assert [result.get(timeout=40) for result in results] == list(range(1, 21))
        inspect = service.app.control.inspect(destination=[service.worker.node], timeout=5)
        assert inspect.ping() == {service.worker.node: {"ok": "pong"}}
    finally:
        service.close()
