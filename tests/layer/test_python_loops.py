"""Several event loops and threads, sync callers, forks: one connection per process, whatever comes."""

import asyncio
import gc
import os
import threading
import traceback

import pytest
from asgiref.sync import async_to_sync
from sidecar_channels import SidecarChannelLayer

from layer.python_layers import OPTIONS, receive
from support import eventually

LOOPS = 200


@pytest.fixture
def layer(site):
    made = SidecarChannelLayer(hosts=[site.url()], **OPTIONS)
    yield made
    asyncio.run(made.close())


def connections(site):
    return site.sidecar.metric("sidecar_clients_accepted_total")


def test_messages_sent_before_and_read_in_other_loops(layer):
    send, new_channel = async_to_sync(layer.send), async_to_sync(layer.new_channel)
    one, two = new_channel(), new_channel()
    send(one, {"n": 1})
    send(two, {"n": 2})
    assert async_to_sync(layer.receive)(two) == {"n": 2}
    assert asyncio.run(receive(layer, one)) == {"n": 1}


def test_a_loop_per_call_makes_no_connection(site, layer):
    channel = async_to_sync(layer.new_channel)()
    async_to_sync(layer.send)(channel, {"n": -1})
    async_to_sync(layer.receive)(channel)
    before = connections(site)
    for n in range(LOOPS):
        async_to_sync(layer.send)(channel, {"n": n})
        assert async_to_sync(layer.receive)(channel) == {"n": n}
    assert connections(site) == before


def test_threads_with_loops_of_their_own(site, layer):
    layer = SidecarChannelLayer(hosts=[site.url()])
    results = {}

    def work(name):
        async def main():
            channel = await layer.new_channel()
            await layer.group_add(f"group{name}", channel)
            for n in range(20):
                await layer.group_send(f"group{name}", {"n": n})
                results.setdefault(name, []).append((await receive(layer, channel))["n"])

        asyncio.run(main())

    threads = [threading.Thread(target=work, args=(name,)) for name in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == {name: list(range(20)) for name in range(5)}


def test_who_waits_in_a_loop_that_ends_takes_nothing_along(layer):
    async def give_up(channel):
        with pytest.raises(asyncio.TimeoutError):
            await receive(layer, channel, 0.05)

    channel = async_to_sync(layer.new_channel)()
    for _ in range(5):
        asyncio.run(give_up(channel))
    async_to_sync(layer.send)(channel, {"n": 1})
    assert asyncio.run(receive(layer, channel)) == {"n": 1}


def test_a_layer_that_nobody_holds_ends_its_connections(site):
    open_now = lambda: site.sidecar.metric("sidecar_clients")  # noqa: E731
    eventually(lambda: open_now() == 0)
    made = SidecarChannelLayer(hosts=[site.url()], **OPTIONS)
    async_to_sync(made.send)("jobs", {"n": 1})
    eventually(lambda: open_now() > 0)
    del made
    eventually(lambda: gc.collect() is not None and open_now() == 0)


def in_child(work):
    """Runs it in a forked process; fails with what went wrong there."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            work()
            os.write(writing, b"fine")
        except BaseException:
            os.write(writing, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    assert said == "fine", said


def test_a_forked_child_is_a_process_of_its_own(layer):
    mine = async_to_sync(layer.new_channel)()
    async_to_sync(layer.group_add)("g", mine)
    async_to_sync(layer.send)(mine, {"n": 0})
    assert async_to_sync(layer.receive)(mine) == {"n": 0}
    prefix = layer.client_prefix

    def child():
        assert layer.client_prefix != prefix
        theirs = async_to_sync(layer.new_channel)()
        async_to_sync(layer.group_add)("g", theirs)
        async_to_sync(layer.group_send)("g", {"n": 1})
        assert async_to_sync(layer.receive)(theirs) == {"n": 1}
        with pytest.raises(AssertionError):
            async_to_sync(layer.receive)(mine)
        async_to_sync(layer.group_discard)("g", theirs)
        async_to_sync(layer.close)()

    in_child(child)
    assert layer.client_prefix == prefix
    assert async_to_sync(layer.receive)(mine) == {"n": 1}
    async_to_sync(layer.group_send)("g", {"n": 2})
    assert async_to_sync(layer.receive)(mine) == {"n": 2}
