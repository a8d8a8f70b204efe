"""Rooms over WebSocket: everyone sees each message once and in order, whatever the channel layer does."""

import asyncio
import contextlib

import pytest
from channels.layers import channel_layers, get_channel_layer
from channels.testing import WebsocketCommunicator
from django.db import connections as django_connections

from communication_service import consumers, delivery, store
from communication_service.asgi import application
from communication_service.models import Message, Room
from hdms_common import connections
from hdms_common.checks import close_layer
from hdms_common.identity import issue_token

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 10


@pytest.fixture(autouse=True)
def room():
    return Room.objects.create(name="printers")


def run(scenario):
    """The scenario in a loop of its own; what it left open in threads is closed."""

    async def whole():
        async with asyncio.timeout(60):
            try:
                await scenario()
            finally:
                await close_layer(get_channel_layer())

    try:
        asyncio.run(whole())
    finally:
        channel_layers.backends.clear()
        django_connections.close_all()


class Member(WebsocketCommunicator):
    def __init__(self, query, room="printers", headers=None):
        super().__init__(application, f"/ws/rooms/{room}/?{query}", headers=headers)

    async def joined(self):
        assert (await self.connect(timeout=SECONDS))[0]
        assert (await self.told())["type"] == "welcome"
        return self

    async def told(self):
        return await self.receive_json_from(timeout=SECONDS)

    async def message(self):
        told = await self.told()
        assert told["type"] == "message", told
        return told["message"]

    async def say(self, text, reference=""):
        await self.send_json_to({"type": "message", "text": text, "reference": reference})

    async def closed_with(self):
        while True:
            event = await self.receive_output(timeout=SECONDS)
            if event["type"] == "websocket.close":
                return event["code"]


@contextlib.asynccontextmanager
async def members(*queries):
    found = [await Member(query).joined() for query in queries]
    try:
        yield found
    finally:
        for each in found:
            await each.disconnect()


def test_what_one_says_is_seen_by_all():
    async def scenario():
        async with members("user=ann", "user=bob", "user=cem") as everyone:
            await everyone[0].say("hello")
            for each in everyone:
                message = await each.message()
                assert (message["author"], message["text"], message["number"]) == ("ann", "hello", 1)
            await everyone[1].say("hi")
            assert [(await each.message())["text"] for each in everyone] == ["hi"] * 3

    run(scenario)


def test_who_comes_later_sees_what_was_said(room):
    for number in range(60):
        store.add_message("printers", "ann", f"line {number}", "")

    async def scenario():
        async with members("user=bob", "user=cem&after=58") as (bob, cem):
            assert [(await bob.message())["number"] for _ in range(50)] == [*range(11, 61)]
            assert [(await cem.message())["number"] for _ in range(2)] == [59, 60]

    run(scenario)


def test_a_message_sent_twice_is_stored_once():
    async def scenario():
        async with members("user=ann", "user=bob") as (ann, bob):
            await ann.say("once", "r1")
            await ann.say("once", "r1")
            await ann.say("twice", "r2")
            assert [(await bob.message())["text"] for _ in range(2)] == ["once", "twice"]

    run(scenario)
    assert Message.objects.count() == 2


def test_messages_that_the_layer_lost_are_seen_with_the_next_one(monkeypatch):
    async def scenario():
        async with members("user=ann", "user=bob") as (ann, bob):
            with monkeypatch.context() as patched:
                patched.setattr(delivery, "tell", taken_and_lost)
                await ann.say("lost")
                assert (await ann.message())["text"] == "lost"
            await ann.say("found")
            assert [(await bob.message())["text"] for _ in range(2)] == ["lost", "found"]

    run(scenario)


async def taken_and_lost(group, event):
    return True


def test_messages_that_the_layer_lost_are_seen_without_a_next_one(monkeypatch):
    monkeypatch.setattr(consumers, "LOOK_SECONDS", 0.2)

    async def scenario():
        async with members("user=bob") as (bob,):
            await asyncio.to_thread(store.add_message, "printers", "ann", "quiet", "")
            assert (await bob.message())["text"] == "quiet"

    run(scenario)


def test_what_comes_twice_is_seen_once():
    async def scenario():
        async with members("user=ann", "user=bob") as (ann, bob):
            await ann.say("one")
            first = await bob.message()
            await delivery.tell(delivery.room_group("printers"), {"type": "room.message", "message": first})
            await ann.say("two")
            assert (await bob.message())["text"] == "two"

    run(scenario)


def test_without_the_layer_messages_are_kept_and_told_later(monkeypatch, caplog):
    async def scenario():
        async with members("user=ann", "user=bob") as (ann, bob):
            layer = get_channel_layer()
            usual, failures = layer.group_send, []

            async def failing(group, event):
                if len(failures) < 2:
                    failures.append(1)
                    raise ConnectionError("Connection closed by server.")
                await usual(group, event)

            monkeypatch.setattr(layer, "group_send", failing)
            await ann.say("later")
            assert (await ann.message())["text"] == "later"
            assert (await bob.message())["text"] == "later"
            while len(told()) < 2:
                await asyncio.sleep(0.01)

    def told():
        return [record.getMessage() for record in caplog.records if record.name == "hdms.connections"]

    run(scenario)
    lost, back = told()
    assert "channel layer" in lost and "Remedy" in lost and "answers again" in back
    assert connections.channels.failed is None


def test_without_database_the_sender_is_told_to_come_back(settings, unreachable_database):
    settings.HDMS_DB_RETRY_SECONDS = 0.2
    shared = unreachable_database.settings_dict
    shared["PORT"] = settings.HDMS_DATABASE_PLACE.split(":")[1].split("/")[0]

    async def scenario():
        async with members("user=ann") as (ann,):
            await ann.say("heard")
            await ann.message()
            shared["PORT"] = 1
            await ann.say("nobody hears", "r9")
            told = await ann.told()
            assert (told["type"], told["reference"]) == ("error", "r9")
            assert told["retry_after"] > 0

    run(scenario)


def test_nonsense_is_answered_and_the_socket_stays():
    async def scenario():
        async with members("user=ann") as (ann,):
            for text in ("no json", "[]", '"text"', "{}", '{"type":"message","text":5}', "{" * 40_000):
                await ann.send_to(text_data=text)
                assert (await ann.told())["type"] == "error"
            for content in ({"text": " "}, {"text": "x" * 4001}, {"text": "x", "reference": "r" * 41}):
                await ann.send_json_to({"type": "message", **content})
                assert (await ann.told())["type"] == "error"
            await ann.send_to(bytes_data=b"\x00")
            assert (await ann.told())["type"] == "error"
            await ann.say("still here")
            assert (await ann.message())["text"] == "still here"

    run(scenario)


def test_a_room_that_is_not_there_closes_the_socket():
    async def scenario():
        nobody = Member("user=ann", room="nowhere")
        await nobody.connect(timeout=SECONDS)
        assert await nobody.closed_with() == consumers.NO_ROOM

    run(scenario)


def test_a_token_says_who_speaks(settings):
    settings.HDMS_AUTH_REQUIRED = True
    token = issue_token(1, "ada", "requester")

    async def scenario():
        for query in ("user=ada", f"token={token}x"):
            stranger = Member(query)
            await stranger.connect(timeout=SECONDS)
            assert await stranger.closed_with() == consumers.NO_TOKEN
        async with members(f"user=bob&token={token}") as (ada,):
            await ada.say("it is me")
            assert (await ada.message())["author"] == "ada"

    run(scenario)


def test_pages_of_other_sites_are_kept_out():
    async def scenario():
        for origin, taken in ((b"http://evil.example", False), (b"http://localhost", True)):
            page = Member("user=ann", headers=[(b"origin", origin)])
            assert (await page.connect(timeout=SECONDS))[0] is taken
            await page.disconnect()

    run(scenario)


def test_concurrent_messages_get_numbers_without_gaps():
    async def scenario():
        async with members(*(f"user=u{each}" for each in range(4))) as everyone:
            for number in range(5):
                for each in everyone:
                    await each.say(f"{number}")
            for each in everyone:
                assert [(await each.message())["number"] for _ in range(20)] == [*range(1, 21)]

    run(scenario)
