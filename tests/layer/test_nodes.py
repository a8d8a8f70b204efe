"""Two sidecars on one Redis are one native layer: what is said on one holds on the other, and the processes
of one that is killed go on with the other."""

import asyncio

import pytest
from channels.exceptions import ChannelFull

from clients.waiting import becomes_true
from layer.app.crowd import Crowd, Table
from layer.app.servers import Deployment, Server
from layer.layers import Kind, nothing_waits, numbers, run

ONE, OTHER = (0,), (1,)
LATE_SECONDS = 20


@pytest.fixture
def on_two_nodes(two_nodes):
    return lambda scenario: run(scenario, Kind.native, two_nodes)


def test_a_group_spans_both(on_two_nodes):
    async def scenario(layers):
        one, other = layers(ONE), layers(OTHER)
        members = [(layer, await layer.new_channel()) for layer in (one, other, one, other)]
        for layer, channel in members:
            await layer.group_add("room", channel)
        for n in range(30):
            await (one, other)[n // 15].group_send("room", {"type": "x", "n": n})
            for layer, channel in members:
                assert await numbers(layer, channel, 1) == [n]
        await one.group_discard("room", members[0][1])
        await other.group_send("room", {"type": "x", "n": 30})
        for layer, channel in members[1:]:
            assert await numbers(layer, channel, 1) == [30]
        await nothing_waits(one, members[0][1], other)

    on_two_nodes(scenario)


def test_messages_cross_both_ways_in_order(on_two_nodes):
    async def scenario(layers):
        pair = [layers(ONE), layers(OTHER)]
        channels = [await layer.new_channel() for layer in pair]
        for n in range(60):
            for sender, channel in zip(pair, reversed(channels)):
                await sender.send(channel, {"type": "x", "n": n})
        for layer, channel in zip(pair, channels):
            assert await numbers(layer, channel, 60) == list(range(60))
            await nothing_waits(layer, channel, pair[0])

    on_two_nodes(scenario)


def test_normal_channels_are_read_from_both(on_two_nodes):
    async def scenario(layers):
        pair = [layers(ONE), layers(OTHER)]
        got = []

        async def work(layer):
            while True:
                got.append((await layer.receive("jobs"))["n"])

        workers = [asyncio.create_task(work(layer)) for layer in pair]
        for n in range(40):
            await pair[n % 2].send("jobs", {"type": "x", "n": n})
        await becomes_true(lambda: len(got) >= 40)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await nothing_waits(pair[0], "jobs", pair[1])
        assert sorted(got) == list(range(40))

    on_two_nodes(scenario)


def test_capacity_is_that_of_the_home_node(on_two_nodes):
    async def scenario(layers):
        reader, sender = layers(ONE, capacity=3), layers(OTHER, capacity=3)
        channel = await reader.new_channel()
        await sender.send(channel, {"type": "x", "n": -1})
        assert await numbers(reader, channel, 1) == [-1]
        for n in range(3):
            await sender.send(channel, {"type": "x", "n": n})
        with pytest.raises(ChannelFull):
            await sender.send(channel, {"type": "x", "n": 3})
        assert await numbers(reader, channel, 3) == [0, 1, 2]

    on_two_nodes(scenario)


def test_both_count_the_same_members_and_tell_what_became_of_a_message(on_two_nodes):
    async def scenario(layers):
        pair = [layers(ONE), layers(OTHER)]
        channels = [(layer, await layer.new_channel()) for layer in pair for _ in range(3)]
        for layer, channel in channels:
            await layer.group_add("counted", channel)
        for layer in pair:
            assert await layer.group_count("counted") == 6
            assert sorted(await layer.group_members("counted")) == sorted(name for _, name in channels)
        sent = await pair[0].group_send("counted", {"type": "x", "n": 1}, stats=True, exclude=channels[5][1])
        assert (sent.members, sent.delivered) == (6, 5)
        for layer, channel in channels[:5]:
            assert await numbers(layer, channel, 1) == [1]
        await nothing_waits(*channels[5], sender=pair[0])

    on_two_nodes(scenario)


def test_flush_holds_on_both(on_two_nodes):
    async def scenario(layers):
        pair = [layers(ONE), layers(OTHER)]
        channels = [await layer.new_channel() for layer in pair]
        for layer, channel in zip(pair, channels):
            await layer.group_add("all", channel)
        await pair[0].group_send("all", {"type": "old"})
        await pair[0].flush()
        await pair[1].group_send("all", {"type": "to.nobody"})
        for layer, channel in zip(pair, channels):
            assert await layer.group_count("all") == 0
            await nothing_waits(layer, channel, pair[0])

    on_two_nodes(scenario)


def test_the_processes_of_a_killed_sidecar_go_on_with_the_other(sites):
    site = sites(nodes=2)

    async def scenario(layers):
        moved, stayed = layers((0, 1)), layers(OTHER)
        channels = [(layer, await layer.new_channel()) for layer in (moved, moved, stayed)]
        for layer, channel in channels:
            await layer.group_add("room", channel)
        await stayed.group_send("room", {"type": "x", "n": -1})
        for layer, channel in channels:
            assert await numbers(layer, channel, 1) == [-1]
        reading = [asyncio.create_task(numbers(layer, channel, 20)) for layer, channel in channels]
        site.nodes[0].kill()
        for n in range(20):
            await stayed.group_send("room", {"type": "x", "n": n})
        got = await asyncio.wait_for(asyncio.gather(*reading), LATE_SECONDS)
        assert got == [list(range(20))] * 3
        await moved.send(channels[2][1], {"type": "x", "n": 99})
        assert await numbers(stayed, channels[2][1], 1) == [99]
        assert await stayed.group_count("room") == 3

    run(scenario, Kind.native, site)


def test_a_chat_goes_on_when_its_sidecar_is_killed(sites, tmp_path, capsys):
    """What lay in the memory of the dead one may be lost; what is sent once its end is known is not."""
    site = sites(nodes=2)
    configs = [{"hosts": [site.url(n) for n in order], "capacity": 5000} for order in ((0, 1), (1, 0))]

    async def outage():
        site.nodes[0].kill()

    with Deployment(Server.uvicorn, Kind.native.backend, configs, tmp_path) as deployment:
        crowd = Crowd(deployment.paths, clients=60, rooms=6)
        asyncio.run(crowd.run([(0.3, outage)], messages=6, period=1))
        table, late = crowd.table(deployment.crashes()), crowd.table(since=4)
        with capsys.disabled():
            print(f"\n{Table.head()}\n{table.line('native, one of two killed')}")
        assert (table.crashes, table.reconnects) == (0, 0), deployment.log_tails()
        assert (table.doubled, table.disordered, late.lost) == (0, 0, 0), (table, late)


def test_a_process_that_does_not_come_back_is_forgotten(two_nodes):
    async def scenario(layers):
        gone, stayed = layers(ONE, grace=1), layers(OTHER, grace=1)
        for layer in (gone, stayed):
            await layer.group_add("room", await layer.new_channel())
        assert await stayed.group_count("room") == 2
        await gone.close_pools()

        async def forgotten():
            return await stayed.group_count("room") == 1

        await becomes_true(forgotten, LATE_SECONDS)

    run(scenario, Kind.native, two_nodes)
