"""Pub/sub names belong to dbs: /m.* and __key*@m__:* to db m, asgi* to db 1, all others to nobody."""

import pytest

from support import Failure, encode, eventually

OWNED = {
    0: ["/0.x", "__keyspace@0__:k", "__keyevent@0__:set"],
    1: ["/1.x", "asgi", "asgi__group", "__keyevent@1__:del"],
    2: ["/2.celery.pidbox", "__keyspace@2__:k"],
}
FREE = ["news", "celery-task-meta-1", "/x", "/3.x", "xasgi"]


def crossing():
    return [
        (db, channel) for db in OWNED for owner, names in OWNED.items() if owner != db for channel in names
    ]


@pytest.mark.parametrize("db, channel", crossing())
@pytest.mark.parametrize("verb", ["PUBLISH", "SPUBLISH", "SUBSCRIBE", "SSUBSCRIBE", "PSUBSCRIBE"])
def test_names_of_other_dbs_are_refused(strict, db, channel, verb):
    counted = strict.refusals()
    arguments = (channel, "m") if verb.endswith("PUBLISH") else (channel,)
    with strict.sidecar.client(db) as client:
        reply = client.command(verb, *arguments)
        assert isinstance(reply, Failure) and reply.code == "NOPERM", reply
        assert client.command("PING") == "PONG"
        client.command("MULTI")
        assert isinstance(client.command(verb, *arguments), Failure)
        assert client.command("EXEC").code == "EXECABORT"
    assert strict.refusals() == counted + 2


@pytest.mark.parametrize("db", [0, 1, 2])
def test_own_and_free_names_work(strict, db):
    with strict.sidecar.client(db) as subscriber, strict.sidecar.client(db) as publisher:
        for count, channel in enumerate(OWNED[db] + FREE, 1):
            assert subscriber.command("SUBSCRIBE", channel) == [b"subscribe", channel.encode(), count]
            assert publisher.command("PUBLISH", channel, "m") == 1
            assert subscriber.read() == [b"message", channel.encode(), b"m"]


def test_patterns_are_filtered_on_delivery(strict):
    with (
        strict.sidecar.client(0) as all_seeing,
        strict.sidecar.client(2) as celery,
        strict.sidecar.client(1) as channels,
    ):
        assert all_seeing.command("PSUBSCRIBE", "*") == [b"psubscribe", b"*", 1]
        celery.command("PUBLISH", "/2.celery.pidbox", "secret")
        channels.command("PUBLISH", "asgi.group", "secret")
        celery.command("PUBLISH", "free", "open")
        assert all_seeing.read() == [b"pmessage", b"*", b"free", b"open"]


def test_one_foreign_name_refuses_the_whole_command(strict):
    with strict.sidecar.client(0) as client:
        assert client.command("SUBSCRIBE", "news", "/2.celery.pidbox").code == "NOPERM"
        assert client.command("SET", "k", "v") == "OK", "not in subscribed mode"


def test_keyspace_events_reach_only_their_db(strict):
    strict.redis.command("CONFIG", "SET", "notify-keyspace-events", "KEA")
    with strict.sidecar.client(2) as client, strict.sidecar.client(1) as other:
        client.command("PSUBSCRIBE", "__key*")
        other.command("SET", "elsewhere", "v")
        with strict.sidecar.client(2) as writer:
            writer.command("SET", "here", "v")
        assert client.read()[2] == b"__keyspace@2__:here"
    strict.redis.command("CONFIG", "SET", "notify-keyspace-events", "")


def test_pubsub_shows_no_names_of_other_dbs(strict):
    with strict.sidecar.client(2) as celery, strict.sidecar.client(0) as cache:
        celery.command("SUBSCRIBE", "/2.celery.pidbox")
        celery.command("SUBSCRIBE", "free")
        assert b"free" in cache.command("PUBSUB", "CHANNELS")
        eventually(lambda: celery.command("PING") == [b"pong", b""])


def test_resp3_subscriptions_follow_the_same_rules(strict):
    with strict.sidecar.client(1, protocol=3) as client:
        client.send(encode("SUBSCRIBE", "/2.x") + encode("SUBSCRIBE", "asgi.x"))
        frames = client.read_frames(2)
        assert frames[0].startswith(b"-NOPERM")
        assert frames[1] == b">3\r\n$9\r\nsubscribe\r\n$6\r\nasgi.x\r\n:1\r\n"
