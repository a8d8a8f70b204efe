"""SidecarChannelLayer beyond the Channels specification: members, counts, exclusion, statistics, history."""

import pytest

from layer.python_layers import numbers, receives_nothing, run


@pytest.fixture
def scenario(site):
    return lambda body: run(body, site.url())


async def group_of(layer, count, group="g"):
    channels = [await layer.new_channel() for _ in range(count)]
    for channel in channels:
        await layer.group_add(group, channel)
    return channels


def test_count_and_members(scenario):
    async def body(layers):
        one, other = layers(), layers()
        members = [*await group_of(one, 5), *await group_of(other, 3)]
        assert await one.group_count("g") == 8
        assert await one.group_count("nobody") == 0
        assert sorted(await one.group_members("g")) == sorted(members)
        assert await one.group_members("nobody") == []
        page = await one.group_members_page("g", count=3)
        found = set(page.channels)
        while page.cursor != "0":
            page = await one.group_members_page("g", page.cursor, 3)
            found.update(page.channels)
        assert found == set(members)

    scenario(body)


def test_exclusion(scenario):
    async def body(layers):
        one, other = layers(), layers()
        mine, theirs = await group_of(one, 3), await group_of(other, 1)
        await one.group_send("g", {"n": 1}, exclude=mine[0])
        await one.group_send("g", {"n": 2}, exclude=[mine[0], mine[1], theirs[0]])
        assert await numbers(one, mine[2], 2) == [1, 2]
        assert await numbers(one, mine[1], 1) == [1]
        assert await numbers(other, theirs[0], 1) == [1]
        for layer, channel in ((one, mine[0]), (one, mine[1]), (other, theirs[0])):
            await receives_nothing(layer, channel)

    scenario(body)


def test_statistics(scenario):
    async def body(layers):
        one, other = layers(), layers()
        await group_of(one, 3)
        await group_of(other, 2)
        for _ in range(3):
            sent = await one.group_send("g", {"n": 1}, stats=True)
            assert (sent.members, sent.delivered, sent.dropped_capacity) == (5, 5, 0)
        sent = await one.group_send("g", {"n": 1}, stats=True)
        assert (sent.members, sent.delivered) == (5, 0)
        assert sent.dropped_capacity >= 5
        assert (await one.group_send("nobody", {}, stats=True)).members == 0
        assert await one.group_send("g", {"n": 1}) is None

    scenario(body)


def test_history(scenario):
    async def body(layers):
        layer = layers(capacity=100)
        position = ""
        for n in range(6):
            sent = await layer.group_send("g", {"n": n}, history=(4, 60), stats=True)
            if n == 3:
                position = sent.position
        kept = await layer.group_history("g", since=position)
        assert kept.recovered
        assert [message["n"] for _, message in kept.items] == [4, 5]
        assert kept.position == sent.position
        newest = await layer.group_history("g", limit=2)
        assert [message["n"] for _, message in newest.items] == [4, 5]
        lost = await layer.group_history("g", since=f"{kept.epoch}:{sent.offset - 5}")
        assert not lost.recovered
        assert lost.items == []

    scenario(body)


def test_a_key_makes_a_message_one(scenario):
    async def body(layers):
        layer = layers()
        (channel,) = await group_of(layer, 1)
        for _ in range(3):
            await layer.group_send("g", {"n": 1}, key="order-17-paid")
        assert await numbers(layer, channel, 1) == [1]
        await receives_nothing(layer, channel)

    scenario(body)
