"""The sidecar restarts, or another takes over: receives wait, memberships are registered anew."""

import asyncio

import pytest
from sidecar_channels import OutcomeUnknown, SidecarUnavailable

from clients.waiting import becomes_true
from layer.python_layers import numbers, receive, run


@pytest.fixture
def unix_site(sites, tmp_path):
    """A site whose sidecar comes back at the same place after a restart, and the URL of that place."""
    place = tmp_path / "sidecar.sock"
    return sites("--unix", place), f"unix://{place}?db=1"


async def restarted(sidecar, seconds=0.0):
    sidecar.process.kill()
    sidecar.process.wait()
    await asyncio.sleep(seconds)
    await asyncio.get_running_loop().run_in_executor(None, sidecar.start)


async def sent_through(layer, group, message):
    """Sends until one is certain to have arrived; what is unknown may arrive as well."""

    async def attempt():
        try:
            await layer.group_send(group, message)
        except SidecarUnavailable:
            return False
        return True

    await becomes_true(attempt, seconds=20)


def test_consumers_outlive_a_restart(unix_site):
    site, url = unix_site

    async def body(layers):
        layer, sender = layers(capacity=100, expiry=60), layers(capacity=100, expiry=60)
        channels = [await layer.new_channel() for _ in range(5)]
        for channel in channels:
            await layer.group_add("g", channel)

        async def hears(channel, wanted):
            while (await layer.receive(channel))["n"] != wanted:
                pass

        for round_number in range(3):
            waiting = [asyncio.ensure_future(hears(channel, round_number)) for channel in channels]
            await restarted(site.sidecar, seconds=0.3)
            await sent_through(sender, "g", {"n": round_number})
            await asyncio.wait_for(asyncio.gather(*waiting), timeout=20)
        assert await sender.group_count("g") == len(channels)

    run(body, url)


def test_calls_wait_for_the_sidecar_and_then_say_so(unix_site):
    site, url = unix_site

    async def body(layers):
        layer = layers(send_timeout=1.0)
        channel = await layer.new_channel()
        await layer.send(channel, {"n": 0})
        assert await numbers(layer, channel, 1) == [0]
        site.sidecar.process.kill()
        site.sidecar.process.wait()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for call in (
            lambda: layer.send(channel, {"n": 1}),
            lambda: layer.group_send("g", {}),
            lambda: layer.group_add("g", channel),
            lambda: layer.group_count("g"),
        ):
            with pytest.raises(SidecarUnavailable):
                await call()
        assert loop.time() - begun < 4 * 3
        pending = asyncio.ensure_future(layer.send(channel, {"n": 2}))
        await loop.run_in_executor(None, site.sidecar.start)
        try:
            await pending
        except SidecarUnavailable:  # the machine was slow
            await layer.send(channel, {"n": 2})
        assert await numbers(layer, channel, 1) == [2]

    run(body, url)


def test_a_call_that_lost_its_answer_is_not_sent_twice(unix_site):
    site, url = unix_site

    async def body(layers):
        layer = layers(capacity=10_000, expiry=60, send_timeout=5.0)
        reader = layers(capacity=10_000, expiry=60)
        channel = await reader.new_channel()
        got, outcomes = [], []

        async def read():
            while True:
                got.append((await reader.receive(channel))["n"])

        async def send(n):
            try:
                await layer.send(channel, {"n": n})
                outcomes.append("sent")
            except OutcomeUnknown:
                outcomes.append("unknown")
            except SidecarUnavailable:
                outcomes.append("not sent")

        reading = asyncio.ensure_future(read())
        await send(0)
        await becomes_true(lambda: got == [0])
        sending = []
        for n in range(1, 400):
            sending.append(asyncio.ensure_future(send(n)))
            if n == 200:
                await asyncio.sleep(0.001)
                await restarted(site.sidecar)
        await asyncio.gather(*sending)
        await send(400)
        await becomes_true(lambda: 400 in got)
        assert got == sorted(set(got)), "doubled or out of order"
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    run(body, url)


def test_unacknowledged_messages_come_once_when_connections_are_cut(site):
    async def body(layers):
        reader, sender = layers(capacity=10_000, expiry=60), layers(capacity=10_000)
        channel = await reader.new_channel()
        got = []

        async def read():
            while len(got) < 600:
                got.append((await reader.receive(channel))["n"])

        reading = asyncio.ensure_future(read())
        await becomes_true(lambda: reader._core.receivers)
        for n in range(600):
            await sender.send(channel, {"n": n})
            if n % 50 == 25:
                for receiver in list(reader._core.receivers.values()):
                    reader._core.engine.submit(receiver.drop)
        await asyncio.wait_for(reading, 30)
        assert got == list(range(600))

    run(body, site.url())


def test_another_sidecar_takes_over(sites):
    site = sites(nodes=2)

    async def body(layers):
        layer, sender = layers(capacity=100, expiry=60), layers(site.url(1), capacity=100)
        channels = [await layer.new_channel() for _ in range(3)]
        for channel in channels:
            await layer.group_add("g", channel)
        await sender.group_send("g", {"n": 0})
        for channel in channels:
            assert await numbers(layer, channel, 1) == [0]
        waiting = [asyncio.ensure_future(layer.receive(channel)) for channel in channels]
        site.nodes[0].process.kill()
        site.nodes[0].process.wait()

        async def all_have_it():
            await sender.group_send("g", {"n": 1})
            done, _ = await asyncio.wait(waiting, timeout=0.2)
            return len(done) == len(waiting)

        await becomes_true(all_have_it, seconds=20)
        assert {task.result()["n"] for task in waiting} == {1}
        assert await sender.group_count("g") == 3
        await layer.send(channels[0], {"type": "direct"})
        await layer.group_discard("g", channels[1])
        assert await sender.group_count("g") == 2

    try:
        run(body, site.url(0), site.url(1))
    finally:
        if not site.nodes[0].running:
            site.nodes[0].start()


def test_a_sidecar_that_answers_no_more(sites):
    """Frozen: it accepts and says nothing. The layer goes on with the other host."""
    site = sites(nodes=2)

    async def body(layers):
        layer = layers(send_timeout=1.0)
        channel = await layer.new_channel()
        await layer.send(channel, {"n": 0})
        assert await numbers(layer, channel, 1) == [0]
        site.nodes[0].freeze()
        try:
            await becomes_true(lambda: fails(layer, channel))
            await becomes_true(lambda: sends(layer, channel), seconds=40)
            while (await receive(layer, channel, 30))["n"] != 2:
                pass
        finally:
            site.nodes[0].thaw()

    async def fails(layer, channel):
        try:
            await layer.send(channel, {"n": 1})
        except SidecarUnavailable:
            return True
        return False

    async def sends(layer, channel):
        try:
            await layer.send(channel, {"n": 2})
        except SidecarUnavailable:
            return False
        return True

    run(body, site.url(0), site.url(1))
