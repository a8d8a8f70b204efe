"""channels_redis's core layer, unmodified, through the guard: no loss, no duplicate, no timeout."""

import asyncio
import json
import time

import pytest
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

from support import eventually

CANCELS = 120


def raced(program, environment, url, scenario, seed=1):
    lines = program(environment, "layer.guard_race", url, scenario, CANCELS, seed).finish(90)
    return json.loads(lines.strip().splitlines()[-1])


@pytest.mark.parametrize("scenario", ["own", "others"])
def test_raced_cancellation_loses_and_doubles_nothing(site, program, environment, scenario):
    through = raced(program, environment, site.url(), scenario)
    direct = raced(program, environment, site.direct_url, scenario)
    print(f"\n{environment.value}, {scenario}: through the guard {through}\n   without it {direct}")
    assert through["cancelled"] >= CANCELS, "the race was not run"
    assert (through["lost"], through["duplicated"], through["errors"]) == (0, 0, [])


def test_idle_receiver_outlives_redis_pys_socket_timeout(site, program):
    """redis-py 8 gives up a silent socket after 5 s, just when BZPOPMIN's own 5 s are over."""

    async def idle_then_receive():
        layer, sender = (RedisChannelLayer(hosts=[site.url()]) for _ in range(2))
        channel = await layer.new_channel()
        receiving = asyncio.create_task(layer.receive(channel))
        done, _ = await asyncio.wait([receiving], timeout=6.5)
        assert not done, receiving.exception()
        await sender.send(channel, {"type": "late"})
        assert await asyncio.wait_for(receiving, 5) == {"type": "late"}
        await layer.close_pools()
        await sender.close_pools()

    before = site.sidecar.metric("sidecar_channels_early_nils_total")
    asyncio.run(idle_then_receive())
    assert site.sidecar.metric("sidecar_channels_early_nils_total") > before


def test_receivers_survive_a_kill_of_redis(site):
    """What was sent before and what is sent after arrives once; nobody hears of the outage."""

    async def scenario():
        layers = [RedisChannelLayer(hosts=[site.url()]) for _ in range(20)]
        sender = RedisChannelLayer(hosts=[site.url()])
        channels = [await layer.new_channel() for layer in layers]
        receiving = [
            asyncio.create_task(layer.receive(channel))
            for layer, channel in zip(layers, channels, strict=True)
        ]
        await asyncio.sleep(0.3)
        for n in range(10):
            await sender.send(channels[n], {"type": "before", "n": n})
        site.redis.kill()
        site.redis.start()
        await asyncio.to_thread(eventually, lambda: site.sidecar.http("/readyz")[0] == 200, 10)
        for n in range(10, 20):
            await sender.send(channels[n], {"type": "after", "n": n})
        got = await asyncio.wait_for(asyncio.gather(*receiving), 15)
        assert [message["n"] for message in got] == list(range(20))
        for layer, channel in zip(layers, channels, strict=True):
            await sender.send(channel, {"type": "end"})
            assert await asyncio.wait_for(layer.receive(channel), 5) == {"type": "end"}, "came twice"
        for layer in (*layers, sender):
            await layer.close_pools()

    asyncio.run(scenario())


def test_many_receivers_share_few_connections(site):
    async def scenario():
        layers = [RedisChannelLayer(hosts=[site.url()]) for _ in range(100)]
        channels = [await layer.new_channel() for layer in layers]
        receiving = [
            asyncio.create_task(layer.receive(channel))
            for layer, channel in zip(layers, channels, strict=True)
        ]
        waiting = lambda: site.sidecar.metric("sidecar_channels_receivers") == 100  # noqa: E731
        await asyncio.to_thread(eventually, waiting, 10)
        connected = len(site.upstream("CLIENT", "LIST", "TYPE", "normal").splitlines())
        # One that does not go through the sidecar is heard as well.
        direct = RedisChannelLayer(hosts=[site.direct_url])
        begin = time.monotonic()
        for channel in channels:
            await direct.send(channel, {"type": "direct"})
        await asyncio.wait_for(asyncio.gather(*receiving), 10)
        print(
            f"\n100 receivers on {connected} connections; 100 direct sends: {time.monotonic() - begin:.2f} s"
        )
        for layer in (*layers, direct):
            await layer.close_pools()
        return connected

    assert asyncio.run(scenario()) < 40


def test_scripts_go_by_their_hash_and_drops_are_counted(site):
    async def scenario():
        layer = RedisChannelLayer(hosts=[site.url()], capacity=2)
        channel = await layer.new_channel()
        await layer.group_add("room", channel)
        for n in range(5):
            await layer.group_send("room", {"type": "x", "n": n})
        got = [(await asyncio.wait_for(layer.receive(channel), 5))["n"] for _ in range(2)]
        await layer.close_pools()
        return got

    dropped = site.sidecar.metric("sidecar_channels_over_capacity_total")
    site.upstream("CONFIG", "RESETSTAT")
    assert asyncio.run(scenario()) == [0, 1]
    stats = site.upstream("INFO", "commandstats").decode()
    assert "cmdstat_evalsha" in stats
    assert site.sidecar.metric("sidecar_channels_over_capacity_total") == dropped + 3


def test_passthrough_leaves_everything_as_it_was(sites):
    site = sites("--channels", "passthrough")

    async def scenario():
        layer = RedisChannelLayer(hosts=[site.url()])
        channel = await layer.new_channel()
        await layer.send(channel, {"type": "x"})
        assert await layer.receive(channel) == {"type": "x"}
        await layer.close_pools()

    site.upstream("CONFIG", "RESETSTAT")
    asyncio.run(scenario())
    stats = site.upstream("INFO", "commandstats").decode()
    assert "cmdstat_bzpopmin" in stats and "cmdstat_zpopmin:" in stats and "cmdstat_evalsha" not in stats
    assert site.sidecar.metric("sidecar_channels_receives_total") == 0


def test_pubsub_consumers_are_told_of_an_outage(sites):
    """The layer's own on_disconnect and on_reconnect are never sent since 4.0; the sidecar sends them."""
    site = sites("--channels-on-disconnect", "redis.away", "--channels-on-reconnect", "redis.back")

    async def scenario():
        layer = RedisPubSubChannelLayer(hosts=[site.url()])
        channel = await layer.new_channel()
        subscribed = lambda: site.sidecar.metric("sidecar_subscribed_names") > 0  # noqa: E731
        await asyncio.to_thread(eventually, subscribed, 5)
        site.redis.kill()
        assert await asyncio.wait_for(layer.receive(channel), 10) == {"type": "redis.away"}
        site.redis.start()
        assert await asyncio.wait_for(layer.receive(channel), 10) == {"type": "redis.back"}
        await layer.send(channel, {"type": "after"})
        assert await asyncio.wait_for(layer.receive(channel), 10) == {"type": "after"}
        await layer.flush()

    asyncio.run(scenario())
    assert site.sidecar.metric("sidecar_channels_outage_events_total") == 2


def test_a_consumer_process_that_does_not_read_is_cut_alone(sites):
    """Bounded by --client-output-max; whoever reads goes on."""
    site = sites("--client-output-max", "1mb")
    with site.sidecar.client(1) as stuck, site.sidecar.client(1) as reader, site.sidecar.client(1) as sender:
        for client in (stuck, reader):
            client.command("SUBSCRIBE", "asgi__group__room")
        payload = b"x" * 65536
        for _ in range(200):
            sender.command("PUBLISH", "asgi__group__room", payload)
            assert reader.read() == [b"message", b"asgi__group__room", payload]
            if site.sidecar.metric("sidecar_clients_closed_output_total"):
                break
        assert site.sidecar.metric("sidecar_clients_closed_output_total") == 1
        sender.command("PUBLISH", "asgi__group__room", b"still")
        assert reader.read() == [b"message", b"asgi__group__room", b"still"]
