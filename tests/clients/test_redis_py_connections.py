"""redis-py in both protocols: subscriptions, what a connection says of itself, pools, tracking."""

import pytest
import redis
from redis.cache import CacheConfig

from clients.threads import in_threads
from support import eventually


def test_pubsub_delivers_in_order_and_stops_when_told(connect):
    subscriber, publisher = connect().pubsub(), connect()
    subscriber.subscribe("news", "other")
    subscriber.psubscribe("weather.*")
    confirmations = [next_message(subscriber) for _ in range(3)]
    assert [message["data"] for message in confirmations] == [1, 2, 3]
    for number in range(200):
        assert publisher.publish("news", number) == 1
    assert publisher.publish("weather.berlin", "rain") == 1
    assert [int(next_message(subscriber)["data"]) for _ in range(200)] == list(range(200))
    message = next_message(subscriber)
    assert message["type"] == "pmessage" and message["data"] == b"rain"
    assert (message["pattern"], message["channel"]) == (b"weather.*", b"weather.berlin")
    subscriber.unsubscribe("news")
    assert next_message(subscriber)["data"] == 2
    assert publisher.publish("news", "nobody") == 0
    subscriber.close()
    eventually(lambda: publisher.pubsub_numsub("other") == [(b"other", 0)])


def test_sharded_pubsub(connect):
    subscriber, publisher = connect().pubsub(), connect()
    subscriber.ssubscribe("slot")
    assert next_message(subscriber)["type"] == "ssubscribe"
    assert publisher.spublish("slot", "hello") == 1
    assert next_message(subscriber)["data"] == b"hello"
    subscriber.close()


def next_message(subscriber, seconds=5):
    message = eventually(lambda: subscriber.get_message(timeout=0.5), seconds)
    assert message is not None
    return message


def test_a_connection_is_what_it_says_it_is(connect):
    client = connect(client_name="shop", single_connection_client=True)
    assert client.client_info()["name"] == "shop"
    assert client.client_getname() in (b"shop", "shop")
    own_id = client.client_id()
    names = {int(entry["id"]): entry["name"] for entry in client.client_list()}
    assert names[own_id] == "shop"
    killer = connect()
    assert killer.client_kill_filter(_id=str(own_id)) == 1
    with pytest.raises(redis.ConnectionError):
        client.ping()
    assert client.ping() is True, "redis-py did not reconnect"
    assert client.client_id() != own_id


def test_blocking_connection_pool_and_health_checks(empty, protocol):
    pool = redis.BlockingConnectionPool.from_url(
        empty.cache_url, max_connections=3, timeout=20, protocol=protocol, health_check_interval=0.001
    )
    client = redis.Redis(connection_pool=pool)
    in_threads(9, lambda: [client.incr("n") for _ in range(40)])
    assert client.get("n") == b"360"
    pool.disconnect()


def test_client_side_cache_sees_the_invalidation(connect, protocol, monkeypatch):
    if protocol == 2:
        pytest.skip("redis-py caches on the client with RESP3 only")
    # redis-py refuses servers older than 7.4; tracking itself has been there since 6.0.
    monkeypatch.setattr("redis.connection.CacheProxyConnection.MIN_ALLOWED_VERSION", "7.0.0")
    cached, writer = connect(cache_config=CacheConfig()), connect()
    writer.set("price", 1)
    assert cached.get("price") == b"1"
    assert len(cached.get_cache().collection) == 1, "the reply was not kept"
    for price in range(2, 12):
        writer.set("price", price)
        eventually(lambda: cached.get("price") == str(price).encode(), message=f"still stale: {price}")
    assert cached.get("price") == b"11"
