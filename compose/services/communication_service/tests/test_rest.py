import asyncio

import pytest
from channels.layers import channel_layers, get_channel_layer
from channels.testing import WebsocketCommunicator

from communication_service import store
from communication_service.asgi import application
from communication_service.models import Room
from hdms_common.checks import close_layer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def room():
    yield Room.objects.create(name="printers")
    channel_layers.backends.clear()


def test_the_page_is_there(client):
    answer = client.get("/")
    assert answer.status_code == 200 and b"/ws/rooms/" in answer.content


def test_health_tells_of_the_channel_layer(client):
    answer = client.get("/health/")
    assert answer.status_code == 200
    assert [each["name"] for each in answer.json()["checks"]] == ["database", "cache", "channels"]


@pytest.mark.parametrize(
    "backend", ["channels_redis.core.RedisChannelLayer", "sidecar_channels.SidecarChannelLayer"]
)
def test_either_layer_passes_its_check(client, settings, backend):
    usual = settings.CHANNEL_LAYERS["default"]["BACKEND"]
    settings.CHANNEL_LAYERS["default"]["BACKEND"] = backend
    try:
        (channels,) = [each for each in client.get("/health/").json()["checks"] if each["name"] == "channels"]
    finally:
        settings.CHANNEL_LAYERS["default"]["BACKEND"] = usual
    assert channels["ok"], channels
    assert backend.rsplit(".", 1)[1] in channels["detail"]


def test_a_channel_layer_that_is_away_fails_health(client, settings):
    usual = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    settings.CHANNEL_LAYERS["default"]["CONFIG"] = {"hosts": ["redis://127.0.0.1:1/1"]}
    try:
        answer = client.get("/health/")
    finally:
        settings.CHANNEL_LAYERS["default"]["CONFIG"] = usual
    assert answer.status_code == 503
    (channels,) = [each for each in answer.json()["checks"] if each["name"] == "channels"]
    assert not channels["ok"] and "refused" in channels["cause"]


def test_makes_rooms(client, post):
    assert post("/api/rooms/", {"name": "cables", "title": "All about cables"}).status_code == 201
    assert post("/api/rooms/", {"name": "cables"}).status_code == 400
    assert post("/api/rooms/", {"name": "not a slug"}).status_code == 400
    assert [each["name"] for each in client.get("/api/rooms/").json()["results"]] == ["cables", "printers"]


def test_messages_by_rest(client, post):
    path = "/api/rooms/printers/messages/"
    assert post(path, {"author": "ann", "text": "hello"}).status_code == 201
    assert post(path, {"author": "ann", "text": "hi", "reference": "r1"}).json()["number"] == 2
    assert post(path, {"author": "ann", "text": "hi", "reference": "r1"}).json()["number"] == 2
    assert post(path, {"text": ""}).status_code == 400
    assert post("/api/rooms/nowhere/messages/", {"text": "x"}).status_code == 404
    assert [each["text"] for each in client.get(path).json()["results"]] == ["hello", "hi"]
    assert [each["number"] for each in client.get(path + "?after=1").json()["results"]] == [2]


def test_notifications_reach_their_user_alone():
    async def scenario():
        await asyncio.to_thread(store.add_notification, "ann", "before", "")
        ann = WebsocketCommunicator(application, "/ws/notifications/?user=ann")
        bob = WebsocketCommunicator(application, "/ws/notifications/?user=bob")
        for each in (ann, bob):
            await each.connect(timeout=10)
            assert (await each.receive_json_from(timeout=10))["type"] == "welcome"
        first = (await ann.receive_json_from(timeout=10))["notification"]
        assert first["text"] == "before"
        await get_channel_layer().group_send("user." + b"ann".hex(), {"type": "user.notified"})
        await asyncio.to_thread(store.add_notification, "ann", "ticket 1 resolved", "/tickets/1")
        await get_channel_layer().group_send("user." + b"ann".hex(), {"type": "user.notified"})
        second = (await ann.receive_json_from(timeout=10))["notification"]
        assert second["text"] == "ticket 1 resolved"
        await ann.send_json_to({"type": "read", "id": first["id"]})
        assert await ann.receive_json_from(timeout=10) == {"type": "read", "id": first["id"]}
        assert await bob.receive_nothing(timeout=0.2)
        for each in (ann, bob):
            await each.disconnect()
        left = await asyncio.to_thread(store.notifications_after, "ann", 0)
        assert [each["text"] for each in left] == ["ticket 1 resolved"]

    async def whole():
        async with asyncio.timeout(60):
            await scenario()
            await close_layer(get_channel_layer())

    asyncio.run(whole())


def test_notifications_by_rest(client, post):
    made = post("/api/notifications/", {"user": "ann", "text": "ticket 1 resolved"})
    assert made.status_code == 201
    assert client.get("/api/notifications/?user=ann").json()["count"] == 1
    assert client.get("/api/notifications/?user=bob").json()["count"] == 0
    assert post(f"/api/notifications/{made.json()['id']}/read/", {}).status_code == 200
    assert client.get("/api/notifications/?user=ann").json()["results"][0]["read_at"]
    assert post("/api/notifications/999999/read/", {}).status_code == 404
