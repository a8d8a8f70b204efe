"""What is too much, too large or wrong is refused or bounded, and counted; nobody else notices."""

import asyncio
import random

import pytest
from channels.exceptions import ChannelFull, MessageTooLarge

from layer.layers import Kind, numbers, run
from support import Failure, eventually, slack

MEGABYTE = 1 << 20


def counted(site, name, **labels):
    return site.sidecar.metric(f"sidecar_channels_{name}_total", **labels)


@pytest.fixture
def command(site):
    """command(*words) on a connection that has said CH.HELLO."""
    with site.sidecar.client(db=1) as client:
        assert not isinstance(client.command("CH.HELLO", "asgi", "specific.raw"), Failure)
        yield client.command


def test_a_process_that_never_receives_costs_a_bounded_queue(site):
    """It has received once, so that its queue is the sidecar's own, and then stops for good."""

    async def scenario(layers):
        stuck, sender, keen = (layers(capacity=50) for _ in range(3))
        channels = {layer: await layer.new_channel() for layer in (stuck, keen)}
        for layer, channel in channels.items():
            await layer.group_add("room", channel)
            await sender.send(channel, {"type": "x", "n": -1})
            assert await numbers(layer, channel, 1) == [-1]
        before, dropped = site.sidecar.resident_bytes(), counted(site, "dropped_capacity")
        for n in range(300):
            await sender.group_send("room", {"type": "x", "n": n, "text": "x" * 50_000})
            assert await numbers(keen, channels[keen], 1) == [n]
        with pytest.raises(ChannelFull):
            await sender.send(channels[stuck], {"type": "x"})
        assert counted(site, "dropped_capacity") - dropped >= 200
        assert site.sidecar.resident_bytes() - before < slack(12 * MEGABYTE)
        assert await numbers(stuck, channels[stuck], 50) == list(range(50))

    run(scenario, Kind.native, site)


def test_a_message_that_is_too_large_is_refused(site, command):
    def too_large(*words):
        answer = command(*words)
        return isinstance(answer, Failure) and answer.text.startswith("MSGTOOLARGE")

    assert too_large("CH.SEND", "specific.raw!one", b"x" * (MEGABYTE + 1))
    assert too_large("CH.GSEND", "room", b"x" * (MEGABYTE + 1))
    assert command("CH.SEND", "specific.raw!one", b"x" * MEGABYTE) == 1

    async def scenario(layers):
        layer = layers(max_message=10_000)
        with pytest.raises(MessageTooLarge):
            await layer.send(await layer.new_channel(), {"type": "x", "text": "x" * 10_000})

    run(scenario, Kind.native, site)


@pytest.mark.parametrize(
    "words",
    [
        ("CH.SEND", "a b", "x"),
        ("CH.SEND", "", "x"),
        ("CH.SEND", "two!marks!", "x"),
        ("CH.SEND", "ü", "x"),
        ("CH.SEND", "n" * 100, "x"),
        ("CH.SEND", "line\n", "x"),
        ("CH.GSEND", "mark!", "x"),
        ("CH.GADD", "room", "bad name"),
        ("CH.GADD", "bad room", "specific.raw!a"),
        ("CH.GADDM", "specific.raw!a", "room", "bad room"),
        ("CH.GREM", "", "specific.raw!a"),
        ("CH.GCOUNT", "a\0b"),
        ("CH.RECV", "a b"),
    ],
    ids=lambda words: repr(" ".join(words))[:30],
)
def test_a_bad_name_is_refused_and_counted(site, command, words):
    before = counted(site, "errors")
    answer = command(*words)
    assert isinstance(answer, Failure) and answer.text.startswith("BADNAME"), answer
    assert counted(site, "errors") == before + 1


COMMANDS = "SEND RECV ACK GADD GADDM GREM GREMALL GSEND ID HIST GCOUNT GMEMBERS GROUPS HELLO STATS"
OPTIONS = "EX ID ACK HELD COUNT EXCEPT HIST STATS SINCE LIMIT CURSOR CAP CHCAP CAPRULE GRACE MAXMSG EXPIRY"
NUMBERS = ["", "0", "-1", "1", "99999999999999999999", "nan"]
ODD = [*NUMBERS, "room", "specific.raw!a", "x" * 300, b"\0\xff", "(a+)+$", "**"]
FRIENDLY = ("BADNAME", "CHANNELFULL", "ERR", "MSGTOOLARGE", "NOHELLO", "UNAVAILABLE", "UNKNOWN", "TOOMANY")


def test_nonsense_is_answered_and_harms_nobody(site, command):
    dice = random.Random(4)
    for _ in range(1500):
        words = [f"CH.{dice.choice(COMMANDS.split())}"]
        words += [dice.choice(dice.choice((OPTIONS.split(), ODD))) for _ in range(dice.randrange(7))]
        answer = command(*words)
        if isinstance(answer, Failure):
            assert answer.text.split()[0] in FRIENDLY, (words, answer)

    async def scenario(layers):
        layer = layers()
        channel = await layer.new_channel()
        await layer.send(channel, {"type": "x", "n": 1})
        assert await numbers(layer, channel, 1) == [1]

    run(scenario, Kind.native, site)


def test_processes_that_went_leave_nothing_behind(site):
    """Every one had a queue, a membership and unread messages."""

    async def scenario(layers):
        sender = layers()
        for _ in range(20):
            layer = layers(grace=1, expiry=2)
            channel = await layer.new_channel()
            await layer.group_add("room", channel)
            await sender.send(channel, {"type": "x"})
            await layer.close_pools()

        def gone():
            return not [key for key in site.keys("__sidecar:ch:*") if "specific." in key]

        eventually(gone, 20, interval=0.2, message=f"left behind: {site.keys('__sidecar:ch:*')}")
        assert await sender.group_count("room") == 0

    run(scenario, Kind.native, site)


def test_a_core_group_over_its_capacity_is_counted(site):
    async def scenario(layers):
        sender, slow = layers(capacity=2), layers(capacity=2)
        await slow.group_add("room", await slow.new_channel())
        before = counted(site, "over_capacity")
        for _ in range(5):
            await sender.group_send("room", {"type": "x"})
        assert counted(site, "over_capacity") - before == 3

    run(scenario, Kind.core, site)


def test_a_pubsub_process_that_does_not_read_is_cut_alone(sites):
    site = sites("--client-output-max", "4mb")

    async def scenario(layers):
        layer, sender = layers(), layers()
        channel = await layer.new_channel()
        await layer.group_add("room", channel)
        with site.sidecar.client(db=1) as stuck:
            stuck.command("SUBSCRIBE", "asgi__group__room")
            for n in range(300):
                await sender.group_send("room", {"type": "x", "n": n, "text": "x" * 60_000})
                assert await numbers(layer, channel, 1) == [n]
            await asyncio.to_thread(stuck.wait_closed, 20)

    run(scenario, Kind.pubsub, site)
