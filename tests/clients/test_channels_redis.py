"""channels_redis, core and pub/sub layer, as Channels uses them: consumers, groups, several processes."""

import asyncio
import json
import sys

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.exceptions import ChannelFull
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.test import override_settings

from clients.process_group import TESTS
from clients.stack import THREADS_BOTH
from clients.waiting import becomes_true

LAYERS = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}
pytestmark = pytest.mark.parametrize("stack", THREADS_BOTH, indirect=True, ids=lambda n: f"threads{n}")


@pytest.fixture(params=LAYERS)
def kind(request):
    return request.param


@pytest.fixture
def run(empty):
    """Runs scenario(make_layer) in an event loop of its own and closes its layers."""

    def run_scenario(scenario):
        async def main():
            layers = []

            def make(kind, **options):
                layers.append(LAYERS[kind](hosts=[empty.channels_url], **options))
                return layers[-1]

            try:
                await asyncio.wait_for(scenario(make), 60)
            finally:
                for layer in layers:
                    await layer.flush() if isinstance(
                        layer, RedisPubSubChannelLayer
                    ) else await layer.close_pools()

        asyncio.run(main())

    return run_scenario


async def receive(layer, channel):
    return await asyncio.wait_for(layer.receive(channel), 10)


def test_messages_between_two_processes_keep_their_order(run, kind):
    async def scenario(make):
        sender, receiver = make(kind), make(kind)
        channel = await receiver.new_channel()
        for _ in range(3):
            for number in range(100):
                await sender.send(channel, {"type": "count", "number": number, "raw": b"\0\xff", "text": "ü"})
            messages = [await receive(receiver, channel) for _ in range(100)]
            assert [message["number"] for message in messages] == list(range(100))
            assert messages[0] == {"type": "count", "number": 0, "raw": b"\0\xff", "text": "ü"}

    run(scenario)


def test_group_messages_reach_members_and_nobody_else(run, kind):
    async def scenario(make):
        layers = [make(kind) for _ in range(4)]
        channels = [await layer.new_channel() for layer in layers for _ in range(5)]
        owners = [layer for layer in layers for _ in range(5)]
        for owner, channel in zip(owners, channels):
            await owner.group_add("room", channel)
        await owners[0].group_add("other", channels[0])
        await owners[3].group_discard("room", channels[3])
        for number in range(10):
            await layers[3].group_send("room", {"type": "chat", "number": number})
        await layers[2].group_send("other", {"type": "private"})
        members = [(owner, channel) for owner, channel in zip(owners, channels) if channel != channels[3]]
        for owner, channel in members:
            got = [await receive(owner, channel) for _ in range(10)]
            assert [message["number"] for message in got] == list(range(10))
        assert (await receive(owners[0], channels[0]))["type"] == "private"
        for owner, channel in zip(owners, channels):
            await layers[1].send(channel, {"type": "end"})
            assert await receive(owner, channel) == {"type": "end"}, "more than was sent to it"

    run(scenario)


def test_a_named_channel_is_shared(run):
    async def scenario(make):
        sender, one, two = make("core"), make("core"), make("core")
        got = []

        async def work(layer):
            while len(set(got)) < 60:
                got.append((await receive(layer, "thumbnails"))["number"])

        workers = [asyncio.create_task(work(layer)) for layer in (one, two)]
        for number in range(60):
            await sender.send("thumbnails", {"type": "make", "number": number})
        # Each layer's clean-up may give back what the other has just taken: a channel read by two processes
        # can see a message twice, on plain Redis as well. None may be missing.
        await becomes_true(lambda: len(set(got)) == 60)
        for worker in workers:
            worker.cancel()
        assert sorted(set(got)) == list(range(60))

    run(scenario)


def test_capacity_is_kept(run):
    async def scenario(make):
        layer = make("core", capacity=3)
        for number in range(3):
            await layer.send("tight", {"type": "n", "number": number})
        with pytest.raises(ChannelFull):
            await layer.send("tight", {"type": "n", "number": 3})
        assert [(await receive(layer, "tight"))["number"] for _ in range(3)] == [0, 1, 2]
        await layer.send("tight", {"type": "n", "number": 4})
        assert (await receive(layer, "tight"))["number"] == 4
        full = await layer.new_channel()
        await layer.group_add("group", full)
        for number in range(8):
            await layer.group_send("group", {"type": "n", "number": number})
        kept = [(await receive(layer, full))["number"] for _ in range(3)]
        assert kept == [0, 1, 2]

    run(scenario)


def test_messages_expire(run, empty):
    async def scenario(make):
        layer = make("core", expiry=1)
        await layer.send("stale", {"type": "old"})
        await becomes_true(lambda: empty.sizes()[1] == 0)
        await layer.send("stale", {"type": "new"})
        assert (await receive(layer, "stale"))["type"] == "new"

    run(scenario)


def test_a_cancelled_receive_takes_nothing(run, empty):
    async def scenario(make):
        layer, sender = make("core"), make("core")
        for number in range(5):
            waiting = asyncio.create_task(layer.receive("shared"))
            await becomes_true(lambda: empty.redis.blocked_clients() == 1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await becomes_true(lambda: empty.redis.blocked_clients() == 0)
            await sender.send("shared", {"type": "kept", "number": number})
            assert (await receive(layer, "shared"))["number"] == number

    run(scenario)


def test_flush_forgets_everything(run, empty):
    async def scenario(make):
        layer = make("core")
        await layer.send("a", {"type": "x"})
        await layer.group_add("g", "b")
        assert empty.sizes()[1] > 0
        await layer.flush()
        assert empty.sizes() == [0, 0, 0]

    run(scenario)


class Chat(AsyncJsonWebsocketConsumer):
    async def connect(self):
        await self.channel_layer.group_add("chat", self.channel_name)
        await self.accept()

    async def receive_json(self, content):
        await self.channel_layer.group_send("chat", {"type": "chat.message", "text": content["text"]})

    async def chat_message(self, event):
        await self.send_json({"text": event["text"]})

    async def disconnect(self, code):
        await self.channel_layer.group_discard("chat", self.channel_name)


class Guest(ApplicationCommunicator):
    """A WebSocket as the server would speak for it."""

    def __init__(self):
        super().__init__(
            Chat.as_asgi(), {"type": "websocket", "path": "/chat", "headers": [], "subprotocols": []}
        )

    async def connect(self):
        await self.send_input({"type": "websocket.connect"})
        assert (await self.receive_output(5))["type"] == "websocket.accept"

    async def say(self, text):
        await self.send_input({"type": "websocket.receive", "text": json.dumps({"text": text})})

    async def hear(self):
        return json.loads((await self.receive_output(5))["text"])["text"]

    async def leave(self):
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(5)


def test_websocket_consumers_chat(empty, kind):
    backend = f"{LAYERS[kind].__module__}.{LAYERS[kind].__name__}"

    async def scenario():
        guests = [Guest() for _ in range(6)]
        for guest in guests:
            await guest.connect()
        for number, guest in enumerate(guests):
            await guest.say(f"from {number}")
        for guest in guests:
            assert {await guest.hear() for _ in guests} == {f"from {number}" for number in range(6)}
        await guests[0].leave()
        await guests[1].say("bye")
        for guest in guests[1:]:
            assert await guest.hear() == "bye"
            await guest.leave()

    layers = {"default": {"BACKEND": backend, "CONFIG": {"hosts": [empty.channels_url]}}}
    with override_settings(CHANNEL_LAYERS=layers):
        asyncio.run(asyncio.wait_for(scenario(), 60))


def test_groups_across_processes(run, empty, kind):
    """Each process has two members; every member gets every message, in order."""

    async def scenario(make):
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "clients.channels_member",
                kind,
                empty.channels_url,
                "40",
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={"PYTHONPATH": str(TESTS)},
            )
            for _ in range(3)
        ]
        try:
            for process in processes:
                assert await asyncio.wait_for(process.stdout.readline(), 20) == b"joined\n"
            sender = make(kind)
            for number in range(40):
                await sender.group_send("all", {"type": "n", "number": number})
            for process in processes:
                output, errors = await asyncio.wait_for(process.communicate(), 20)
                assert process.returncode == 0, errors.decode()
                assert output == b"complete\n"
        finally:
            for process in processes:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    run(scenario)
