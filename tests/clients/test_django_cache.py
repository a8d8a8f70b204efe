"""Django's cache, with the built-in backend and with django-redis: settings name the URL and nothing else."""

import asyncio
import datetime
import decimal
import threading

import pytest
from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import caches
from django.test import override_settings

from support import eventually

BACKENDS = {
    "builtin": "django.core.cache.backends.redis.RedisCache",
    "django_redis": "django_redis.cache.RedisCache",
}


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS.keys())
def cache(empty, request):
    configuration = {"default": {"BACKEND": request.param, "LOCATION": empty.cache_url, "KEY_PREFIX": "shop"}}
    with override_settings(CACHES=configuration):
        yield caches["default"]
        caches["default"].close()


@pytest.fixture
def django_redis(empty):
    configuration = {"default": {"BACKEND": BACKENDS["django_redis"], "LOCATION": empty.cache_url}}
    with override_settings(CACHES=configuration):
        yield caches["default"]


def test_values_come_back_as_they_were(cache):
    value = {
        "name": "Möbel",
        "price": decimal.Decimal("12.50"),
        "at": datetime.datetime(2026, 1, 2, 3, 4),
        "raw": bytes(range(256)),
        "nested": [1, 2.5, None, {"deep": ("tuple",)}],
    }
    cache.set("product", value)
    assert cache.get("product") == value
    assert cache.get("missing", "default") == "default"
    assert "product" in cache and "missing" not in cache
    assert cache.get_or_set("computed", lambda: 42) == 42 and cache.get("computed") == 42
    cache.set("big", "x" * 3_000_000)
    assert len(cache.get("big")) == 3_000_000


def test_add_touch_and_delete(cache):
    assert cache.add("once", 1) is True
    assert cache.add("once", 2) is False
    assert cache.get("once") == 1
    assert cache.touch("once", 100) is True and cache.touch("missing", 100) is False
    assert cache.delete("once") and not cache.delete("once")


def test_counting_in_threads_loses_nothing(cache):
    cache.set("visits", 0)
    threads = [threading.Thread(target=lambda: [cache.incr("visits") for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert cache.get("visits") == 400
    assert cache.decr("visits", 100) == 300
    with pytest.raises(ValueError):
        cache.incr("missing")


def test_timeouts_expire_values(cache):
    cache.set("short", "gone soon", timeout=1)
    cache.set_many({"also": 1, "short-too": 2}, timeout=1)
    cache.set("long", "stays", timeout=None)
    assert cache.get("short") == "gone soon"
    eventually(lambda: cache.get_many(["short", "also", "short-too"]) == {}, 5, 0.05)
    assert cache.get("long") == "stays"


def test_many_at_once(cache):
    values = {f"key{number}": [number] for number in range(500)}
    assert not cache.set_many(values, timeout=60)
    assert cache.get_many([*values, "missing"]) == values
    cache.delete_many(list(values)[:250])
    assert len(cache.get_many(list(values))) == 250


def test_versions_are_apart(cache):
    cache.set("doc", "one", version=1)
    cache.set("doc", "two", version=2)
    assert [cache.get("doc", version=version) for version in (1, 2, 3)] == ["one", "two", None]
    assert cache.incr_version("doc", version=2) == 3
    assert cache.get("doc", version=3) == "two"


def test_clear_empties_the_cache_and_nothing_else(cache, empty):
    empty.upstream("SET", "layer", 1, db=1)
    empty.upstream("SET", "task", 1, db=2)
    cache.set_many({"a": 1, "b": 2})
    assert empty.sizes() == [2, 1, 1]
    cache.clear()
    assert empty.sizes() == [0, 1, 1]
    assert cache.get("a") is None


def test_the_asynchronous_interface(cache):
    async def scenario():
        await cache.aset("n", 1)
        for _ in range(20):
            await cache.aincr("n")
        await cache.aset_many({"a": 1, "b": 2})
        return await cache.aget("n"), await cache.aget_many(["a", "b"])

    assert asyncio.run(scenario()) == (21, {"a": 1, "b": 2})


def test_sessions_live_in_the_cache(cache):
    with override_settings(SESSION_CACHE_ALIAS="default"):
        session = SessionStore()
        session["cart"] = ["chair", "table"]
        session.save()
        again = SessionStore(session_key=session.session_key)
        assert again["cart"] == ["chair", "table"]
        again.flush()
        assert "cart" not in SessionStore(session_key=session.session_key)


def test_django_redis_extras(django_redis):
    cache = django_redis
    cache.set("timed", 1, timeout=100)
    assert 0 < cache.ttl("timed") <= 100
    assert cache.persist("timed") and cache.ttl("timed") is None
    assert cache.set("nx", 1, nx=True) and not cache.set("nx", 2, nx=True)
    cache.set_many({f"user:{number}": number for number in range(300)})
    assert sorted(cache.iter_keys("user:*")) == sorted(f"user:{number}" for number in range(300))
    assert cache.delete_pattern("user:*") == 300
    assert sorted(cache.keys("*")) == ["nx", "timed"]
    with cache.client.get_client().pipeline() as pipeline:
        assert pipeline.set("raw", 1).incr("raw").execute() == [True, 2]


def test_django_redis_locks_exclude_each_other(django_redis):
    with django_redis.lock("checkout", timeout=20):
        assert not django_redis.lock("checkout", timeout=20, blocking_timeout=0.1).acquire()
    second = django_redis.lock("checkout", timeout=20, blocking_timeout=5)
    assert second.acquire()
    second.release()
