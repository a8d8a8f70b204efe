"""CH.* word by word, against a real Redis: what each command answers, and what is refused."""

import contextlib
import itertools
import threading

import pytest
import redis

from support.polling import eventually

LAYERS = itertools.count()
"""Each test has a layer of its own: processes outlive their connections by the grace time."""


@pytest.fixture
def connect(site):
    opened = []
    prefix = f"layer{next(LAYERS)}"

    def make(process=None, *terms, protocol=2):
        client = redis.Redis.from_url(site.url(), protocol=protocol, single_connection_client=True)
        opened.append(client)
        if process:
            client.execute_command("CH.HELLO", prefix, process, *terms)
        return client

    yield make
    for client in opened:
        client.close()


def refused(client, *words):
    with pytest.raises(redis.ResponseError) as failure:
        client.execute_command(*words)
    return str(failure.value)


def test_hello_says_what_holds(connect):
    three = connect(protocol=3)
    terms = three.execute_command("CH.HELLO", "terms", "specific.a", "EXPIRY", 5, "CAP", 7, "GRACE", 3)
    assert terms[b"expiry"] == 5
    assert terms[b"capacity"] == 7
    assert terms[b"grace"] == 3
    assert terms[b"next_seq"] == 1
    flat = connect().execute_command("CH.HELLO", "terms", "specific.a")
    assert flat[flat.index(b"session") + 1] == terms[b"session"]


def test_a_message_is_given_until_it_is_acknowledged(connect):
    receiver, sender = connect("specific.a"), connect("specific.b")
    assert sender.execute_command("CH.SEND", "specific.a!1", b"x\r\n") == 1
    given = [[1, b"specific.a!1", b"x\r\n"]]
    assert receiver.execute_command("CH.RECV", "specific.a") == given
    assert receiver.execute_command("CH.RECV", "specific.a") is None
    again = connect("specific.a")
    assert again.execute_command("CH.RECV", "specific.a") == given
    assert again.execute_command("CH.RECV", "specific.a", "ACK", 1) is None
    assert receiver.execute_command("CH.RECV", "specific.a") is None


def test_a_waiting_reader_is_woken(connect):
    receiver, sender = connect("specific.a"), connect("specific.b")
    got = []
    waiting = threading.Thread(
        target=lambda: got.append(receiver.execute_command("CH.RECV", "specific.a", "BLOCK", 4000))
    )
    waiting.start()
    stats = connect("specific.c", protocol=3)
    eventually(lambda: stats.execute_command("CH.STATS")[b"readers"] == 1)
    assert sender.execute_command("CH.SEND", "specific.a!1", b"x") == 1
    waiting.join(4)
    assert got == [[[1, b"specific.a!1", b"x"]]]


def test_groups(connect):
    a, b = connect("specific.a"), connect("specific.b", protocol=3)
    assert a.execute_command("CH.GADD", "g", "specific.a!1", "specific.a!2") == 2
    assert a.execute_command("CH.GADD", "g", "specific.a!1") == 0
    assert b.execute_command("CH.GADDM", "specific.b!1", "g", "h") == 2
    assert b.execute_command("CH.GCOUNT", "g") == 3
    assert b.execute_command("CH.GSEND", "g", b"x") == 2
    assert a.execute_command("CH.RECV", "specific.a") == [[1, b"", b"x", b"g", []]]
    stats = b.execute_command("CH.GSEND", "g", b"y", "EXCEPT", 1, "specific.b!1", "STATS")
    assert (stats[b"delivered"], stats[b"dropped_capacity"]) == (2, 0)
    assert b.execute_command("CH.RECV", "specific.b") == [[1, b"", b"x", b"g", []]]
    assert b.execute_command("CH.GREMALL", "specific.b!1") == 2
    assert a.execute_command("CH.GREM", "g", "specific.a!1", "specific.a!2") == 2
    assert a.execute_command("CH.GSEND", "g", b"z") == 0


def test_a_normal_channel_waits_in_redis(connect):
    sender, reader = connect("specific.a"), connect("specific.b")
    assert sender.execute_command("CH.SEND", "jobs", b"1") == 1
    assert sender.execute_command("CH.SEND", "jobs", b"2") == 1
    assert reader.execute_command("CH.RECV", "jobs", "COUNT", 1) == [[0, b"jobs", b"1"]]
    assert reader.execute_command("CH.RECV", "jobs") == [[0, b"jobs", b"2"]]
    assert reader.execute_command("CH.RECV", "jobs") is None


def test_a_message_sent_twice_with_one_id_arrives_once(connect):
    receiver, sender = connect("specific.a"), connect("specific.b")
    assert sender.execute_command("CH.SEND", "specific.a!1", b"x", "ID", "k") == 1
    assert sender.execute_command("CH.SEND", "specific.a!1", b"x", "ID", "k") == 0
    assert len(receiver.execute_command("CH.RECV", "specific.a")) == 1
    assert sender.execute_command("CH.ID", "other") == 1
    assert sender.execute_command("CH.ID", "other") == 0


def test_full_channels_keep_the_oldest(connect):
    a = connect("specific.a", "CAP", 2)
    assert [a.execute_command("CH.SEND", "specific.a!1", text) for text in "xy"] == [1, 1]
    assert refused(a, "CH.SEND", "specific.a!2", "z").startswith("CHANNELFULL")
    assert [message[2] for message in a.execute_command("CH.RECV", "specific.a")] == [b"x", b"y"]
    assert a.execute_command("CH.ACK", "specific.a", 2, "HELD", 2) == 1
    assert refused(a, "CH.SEND", "specific.a!2", "z").startswith("CHANNELFULL")


def test_a_message_may_bring_its_own_capacity(connect):
    """Whatever CH.HELLO says: more or less, to a process at home, to one that is nowhere, and to a queue."""
    a = connect("specific.a", "CAP", 2, "CAPRULE", "glob", "jobs", 5)
    for channel in ("specific.a!1", "specific.nowhere!1", "jobs"):
        assert a.execute_command("CH.SEND", channel, "w", "CAP", 1) == 1
        assert refused(a, "CH.SEND", channel, "x", "CAP", 1).startswith("CHANNELFULL")
        assert refused(a, "CH.SEND", channel, "x", "ID", f"{channel}1", "CAP", 1).startswith("CHANNELFULL")
        for text in "xy":
            assert a.execute_command("CH.SEND", channel, text, "CAP", 3) == 1
        assert refused(a, "CH.SEND", channel, "z", "CAP", 3).startswith("CHANNELFULL")
        assert a.execute_command("CH.SEND", channel, "z", "ID", f"{channel}2", "CAP", 4) == 1
    assert [message[2] for message in a.execute_command("CH.RECV", "jobs")] == [b"w", b"x", b"y", b"z"]


def test_a_message_brings_its_capacity_to_the_other_node(two_nodes):
    with contextlib.ExitStack() as stack:
        receiver, sender = (
            stack.enter_context(redis.Redis.from_url(two_nodes.url(node), single_connection_client=True))
            for node in (0, 1)
        )
        receiver.execute_command("CH.HELLO", "apart", "specific.a")
        sender.execute_command("CH.HELLO", "apart", "specific.b")
        assert sender.execute_command("CH.SEND", "specific.a!1", "x", "CAP", 1) == 1
        assert refused(sender, "CH.SEND", "specific.a!1", "y", "CAP", 1).startswith("CHANNELFULL")
        assert sender.execute_command("CH.SEND", "specific.a!1", "y", "CAP", 2) == 1
    metrics = two_nodes.nodes[0].metrics()
    assert metrics["sidecar_channels_node_messages_total"] >= 3
    assert metrics["sidecar_channels_node_messages_unreadable_total"] == 0
    assert metrics["sidecar_channels_calls_failed_total"] == 0


@pytest.mark.parametrize(
    ("words", "prefix"),
    [
        (("CH.SEND", "a!b!c", "x"), "BADNAME"),
        (("CH.GSEND", "g!", "x"), "BADNAME"),
        (("CH.GADD", "g", "a", "b c"), "BADNAME"),
        (("CH.SEND", "specific.a!1", "x" * 65), "MSGTOOLARGE"),
        (("CH.SEND", "specific.a!1", "x", "EX"), "syntax"),
        (("CH.SEND", "specific.a!1", "x", "CAP", "0"), "value"),
        (("CH.SEND", "specific.a!1", "x", "CAP", "1000001"), "value"),
        (("CH.HELLO", "asgi", "x", "CAPRULE", "regex", "a.*", "1"), "CAPRULE knows no regex"),
        (("CH.RECV", "specific.a", "ACK", "1"), "ACK"),
        (("CH.RECV", "specific.a", "COUNT", "0"), "value"),
        (("CH.ACK", "specific.other", "0"), "another process"),
        (("CH.HELLO", "asgi", "x!"), "BADNAME"),
        (("CH.SEND",), "wrong number"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value)[:30],
)
def test_what_is_malformed_changes_nothing(connect, words, prefix):
    client = connect("specific.a", "MAXMSG", 64)
    assert refused(client, *words).startswith(prefix)
    assert client.execute_command("CH.RECV", "specific.a") is None


def test_hello_comes_first_and_the_layer_has_its_db(connect):
    client = connect()
    assert refused(client, "CH.SEND", "specific.a!1", "x").startswith("NOHELLO")
    assert client.execute_command("CH.HELP")
    client.execute_command("MULTI")
    assert "not allowed in transactions" in refused(client, "CH.HELLO", "asgi", "specific.a")


def test_what_was_never_given_cannot_be_acknowledged(connect):
    receiver, other = connect("specific.a"), connect("specific.a")
    other.execute_command("CH.SEND", "specific.a!1", b"x")
    assert "never given" in refused(other, "CH.ACK", "specific.a", 1)
    assert "never given" in refused(receiver, "CH.RECV", "specific.a", "ACK", 1)
    assert receiver.execute_command("CH.RECV", "specific.a") == [[1, b"specific.a!1", b"x"]]
    assert receiver.execute_command("CH.RECV", "specific.a", "ACK", 1) is None


def test_a_reset_leaves_the_layer(connect):
    receiver, sender = connect("specific.a"), connect("specific.b")
    assert sender.execute_command("CH.SEND", "specific.a!1", b"x") == 1
    receiver.execute_command("RESET")
    receiver.execute_command("SELECT", 1)
    assert refused(receiver, "CH.RECV", "specific.a").startswith("NOHELLO")
    assert connect("specific.a").execute_command("CH.RECV", "specific.a") == [[1, b"specific.a!1", b"x"]]


def test_a_layer_ends_with_its_db_until_the_client_is_back(sites):
    site = sites("--channels-dbs", "1,3", "--policy", "open")
    with contextlib.closing(redis.Redis.from_url(site.url(), single_connection_client=True)) as client:
        client.execute_command("CH.HELLO", "two", "specific.a")
        client.execute_command("SELECT", 3)
        assert refused(client, "CH.SEND", "specific.a!1", b"x").startswith("NOHELLO")
        client.execute_command("SELECT", 0)
        assert "not on db 0" in refused(client, "CH.SEND", "specific.a!1", b"x")
        client.execute_command("SELECT", 1)
        assert client.execute_command("CH.SEND", "specific.a!1", b"x") == 1


def test_who_may_only_read_takes_no_process_over(sites, tmp_path):
    users = tmp_path / "users.toml"
    users.write_text('[users.service]\npassword = "s"\n[users.viewer]\npassword = "v"\nreadonly = true\n')
    site = sites("--config", str(users))
    url = site.url().replace("redis://", "redis://{}@")
    with (
        contextlib.closing(
            redis.Redis.from_url(url.format("service:s"), single_connection_client=True)
        ) as service,
        contextlib.closing(
            redis.Redis.from_url(url.format("viewer:v"), single_connection_client=True)
        ) as viewer,
    ):
        service.execute_command("CH.HELLO", "read", "specific.a")
        with pytest.raises(redis.exceptions.NoPermissionError):
            viewer.execute_command("CH.HELLO", "read", "specific.a")
        with pytest.raises(redis.exceptions.NoPermissionError):
            viewer.execute_command("CH.SEND", "specific.a!1", b"x")
        assert viewer.execute_command("CH.INFO")
        assert service.execute_command("CH.SEND", "specific.a!1", b"x") == 1
        assert service.execute_command("CH.RECV", "specific.a") == [[1, b"specific.a!1", b"x"]]


def test_a_flush_empties_the_layer(connect):
    a = connect("specific.a")
    a.execute_command("CH.GADD", "g", "specific.a!1")
    a.execute_command("CH.SEND", "specific.a!1", b"x")
    assert a.execute_command("CH.FLUSH") == b"OK"
    assert a.execute_command("CH.GCOUNT", "g") == 0
    assert [message[2] for message in a.execute_command("CH.RECV", "specific.a")] == [None]
