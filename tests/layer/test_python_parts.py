"""Parts of sidecar_channels that need no sidecar: options, names, commands, replies, serialisers, backoff."""

import re
import sys

import pytest
from channels.exceptions import ChannelFull, MessageTooLarge
from redis.exceptions import ResponseError
from sidecar_channels import OutcomeUnknown, SidecarChannelLayer, SidecarRefused, SidecarUnavailable, protocol
from sidecar_channels.backoff import Backoff
from sidecar_channels.capacities import MOST_REMEMBERED, Capacities
from sidecar_channels.hosts import Hosts, decode_hosts, make_pool
from sidecar_channels.mailbox import Mailbox
from sidecar_channels.memberships import REGISTER_BATCH, Memberships
from sidecar_channels.receiver import Process
from sidecar_channels.serializers import JSONSerializer, SerializerDoesNotExist, registry


def test_hosts_in_every_form():
    assert decode_hosts(["redis://a:1/1", ("b", 2), {"host": "c", "port": 3}, {"address": "redis://d"}]) == [
        {"address": "redis://a:1/1"},
        {"host": "b", "port": 2},
        {"host": "c", "port": 3},
        {"address": "redis://d"},
    ]
    assert decode_hosts(None) == [{"address": "redis://localhost:6379/1"}]
    with pytest.raises(ValueError, match="list"):
        decode_hosts("redis://a")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({"address": "redis://:word@a:1/1"}, {"host": "a", "port": 1, "db": 1, "password": "word"}),
        ({"address": "redis://a/1?socket_timeout=3"}, {"host": "a", "db": 1}),
        ({"host": "b", "port": 2, "db": 1, "decode_responses": True}, {"host": "b", "port": 2, "db": 1}),
        ({"address": "unix:///run/x.sock?db=1"}, {"path": "/run/x.sock", "db": 1}),
    ],
)
def test_what_connections_are_made_with(host, expected):
    connection = make_pool(host).make_connection()
    assert {name: getattr(connection, name) for name in expected} == expected
    assert connection.socket_timeout is None, "a connection that waits for messages is silent for long"
    assert not connection.encoder.decode_responses


def test_the_next_host_after_two_failures_in_a_row():
    hosts, refused = Hosts([{}, {}, {}]), ConnectionRefusedError()
    hosts.failed(0, refused)
    hosts.succeeded()
    hosts.failed(0, refused)
    assert hosts.current == 0
    hosts.failed(0, refused)
    assert hosts.current == 1
    hosts.failed(0, refused)
    hosts.failed(0, refused)
    assert hosts.current == 1, "failures of a host that was left already count for nothing"
    for index in (1, 1, 2, 2):
        hosts.failed(index, refused)
    assert hosts.current == 0


def test_a_host_that_says_nothing_is_left_at_once():
    hosts = Hosts([{}, {}])
    hosts.failed(0, TimeoutError())
    assert hosts.current == 1


def capacities(table, default=100):
    return Capacities(table, SidecarChannelLayer(channel_capacity=table).channel_capacity, default)


def test_globs_are_rules_of_the_sidecar():
    globs = capacities({"tiny*": 1, "[!a]b": 2})
    assert globs.rules == (("tiny*", 1), ("[^a]b", 2))
    assert globs.of_process("tiny") == 100
    assert globs.of_send("tiny", "p") is None
    assert globs.least == 1


def test_a_table_with_a_regex_is_applied_here():
    mixed = capacities({re.compile(r"jobs\.\d"): 7, "jobs.*": 3, "p*!": 2, re.compile("all"): 100})
    assert mixed.rules == ()
    assert mixed.of_process("p.1") == 2
    assert mixed.of_process("q.1") == 100
    sends = {name: mixed.of_send(name, "q.1") for name in ("jobs.1x", "jobs.x", "p.1!jobs.1", "all", "none")}
    assert sends == {"jobs.1x": 7, "jobs.x": 3, "p.1!jobs.1": 2, "all": None, "none": None}
    assert mixed.of_send("none", "p.1") == 100, "the connection's own CAP is 2"
    assert mixed.of_send("p.1!x", "p.1") is None
    for number in range(MOST_REMEMBERED + 1):
        assert mixed.of_send(f"jobs.x{number}", "q.1") == 3
    assert len(mixed._known) <= MOST_REMEMBERED


def test_send():
    assert protocol.send("a!b", b"m") == ("CH.SEND", "a!b", b"m")
    assert protocol.send("a!b", b"m", 2) == ("CH.SEND", "a!b", b"m", "CAP", 2)


def test_hello():
    limits = protocol.Limits(expiry=3, capacity=5, channel_limit=2, rules=(("a*", 1),), grace=4)
    words = " ".join(map(str, protocol.hello("asgi", "specific.x", limits)))
    assert words == (
        "CH.HELLO asgi specific.x EXPIRY 3 GEXPIRY 86400 CAP 5 CHCAP 2 CAPRULE glob a* 1 GRACE 4"
    )


def test_receive_acknowledges_only_what_there_was():
    assert protocol.receive("p", 0, 0) == ("CH.RECV", "p", "HELD", 0, "COUNT", 100, "BLOCK", 4500)
    assert protocol.receive("p", 9, 2)[:6] == ("CH.RECV", "p", "ACK", 9, "HELD", 2)
    assert protocol.receive("jobs", 0, None, 1) == ("CH.RECV", "jobs", "COUNT", 1, "BLOCK", 4500)


def test_group_send():
    assert protocol.group_send("g", b"m") == ("CH.GSEND", "g", b"m")
    assert protocol.group_send("g", b"m", ["a!b", "c!d"], "k", (10, 60), True) == (
        *("CH.GSEND", "g", b"m", "EXCEPT", 2, "a!b", "c!d", "ID", "k", "HIST", 10, 60, "STATS"),
    )


@pytest.mark.parametrize("shape", [dict, lambda pairs: [word for pair in pairs for word in pair]])
def test_maps_of_both_protocols(shape):
    reply = shape([(b"node", b"n"), (b"session", b"s"), (b"epoch", b"e"), (b"max_message", 10)])
    assert protocol.parse_hello(reply) == protocol.Welcome("n", "s", "e", 10)
    sent = protocol.parse_group_sent(
        shape([(b"members", 3), (b"delivered", 2), (b"epoch", b"e"), (b"offset", 4)])
    )
    assert (sent.members, sent.delivered, sent.position) == (3, 2, "e:4")


def test_entries():
    entries = protocol.parse_entries(
        [
            [1, b"p!a", b"x"],
            [2, b"", b"y", b"g", [b"p!b"]],
            [3, b"p!a", None, b"g", 1],
            [4, b"", None, b"", 0],
        ]
    )
    assert entries == [
        protocol.Direct(1, "p!a", b"x"),
        protocol.ToGroup(2, "g", b"y", frozenset({"p!b"})),
        protocol.Membership(3, "p!a", "g", True),
        protocol.Flushed(4),
    ]
    assert protocol.parse_entries(None) == []


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("CHANNELFULL of specific.x!", ChannelFull),
        ("MSGTOOLARGE 3 bytes", MessageTooLarge),
        ("BADNAME x", TypeError),
        ("UNAVAILABLE Redis", SidecarUnavailable),
        ("UNKNOWN Redis", OutcomeUnknown),
        ("what else", SidecarRefused),
    ],
)
def test_errors(words, kind):
    error = protocol.translate(ResponseError(words), "CH.SEND")
    assert type(error) is kind
    assert words in str(error)


def test_memberships():
    table = Memberships()
    assert table.add("g", "a")
    assert not table.add("g", "a")
    table.add("g", "b")
    table.add("h", "a")
    assert table.members("g") == ["a", "b"]
    assert len(table) == 3
    assert table.discard("g", "b")
    assert not table.discard("g", "b")
    assert table.discard_channel("a") == ["g", "h"]
    assert table.members("g") == table.channels() == []
    assert len(table) == 0


def test_memberships_are_told_in_batches():
    table = Memberships()
    everyone = [f"c{number}" for number in range(2 * REGISTER_BATCH + 1)]
    for channel in everyone:
        table.add("g", channel)
    told = list(table.batches())
    assert [len(channels) for _, channels in told] == [REGISTER_BATCH, REGISTER_BATCH, 1]
    assert [channel for _, channels in told for channel in channels] == everyone


@pytest.fixture
def process():
    return Process("p", Mailbox(lambda channel: 100, 60))


def payloads(process):
    return {
        channel: [each.payload for each in parcels] for channel, parcels in process.mailbox.unread().items()
    }


def test_what_was_seen_is_dropped(process):
    process.deliver([protocol.Direct(1, "p!a", b"x"), protocol.Direct(2, "p!a", b"y")])
    process.deliver([protocol.Direct(1, "p!a", b"x"), protocol.Direct(2, "p!a", b"y")])
    process.deliver([protocol.Direct(3, "p!a", b"z")])
    assert payloads(process) == {"p!a": [b"x", b"y", b"z"]}
    assert (process.seen, process.duplicates) == (3, 2)


def test_another_epoch_counts_anew(process):
    process.adopt(protocol.Welcome("n", "s", "one", 0))
    process.deliver([protocol.Direct(5, "p!a", b"x")])
    process.adopt(protocol.Welcome("n", "s", "one", 0))
    assert process.seen == 5
    process.adopt(protocol.Welcome("n", "t", "two", 0))
    process.deliver([protocol.Direct(1, "p!a", b"y")])
    assert payloads(process) == {"p!a": [b"x", b"y"]}


def test_a_group_message_reaches_who_is_a_member_here(process):
    process.memberships.add("g", "p!a")
    process.deliver(
        [
            protocol.Membership(1, "p!b", "g", True),
            protocol.ToGroup(2, "g", b"x", frozenset()),
            protocol.ToGroup(3, "g", b"y", frozenset({"p!a"})),
            protocol.Membership(4, "p!b", "g", False),
            protocol.ToGroup(5, "g", b"z", frozenset()),
            protocol.ToGroup(6, "other", b"never", frozenset()),
        ]
    )
    assert payloads(process) == {"p!a": [b"x", b"z"], "p!b": [b"x", b"y"]}


def test_flushed(process):
    process.memberships.add("g", "p!a")
    process.deliver(
        [
            protocol.Direct(1, "p!a", b"x"),
            protocol.Flushed(2),
            protocol.ToGroup(3, "g", b"y", frozenset()),
        ]
    )
    assert payloads(process) == {}


def test_backoff_doubles_up_to_a_second():
    backoff = Backoff(lambda: 1.0)
    waits = [backoff.next_seconds() for _ in range(9)]
    assert waits[:4] == [0.01, 0.02, 0.04, 0.08]
    assert waits[-2:] == [1.0, 1.0]
    backoff.reset()
    assert backoff.next_seconds() == 0.01
    assert Backoff(lambda: 0.0).next_seconds() == 0.005


def test_serialisers():
    layer = SidecarChannelLayer(serializer_format="json")
    assert layer.serialize({"a": [1, None]}) == b'{"a": [1, null]}'
    layer = SidecarChannelLayer()
    message = {"bytes": b"\x00\xff", "text": "é", "list": [1, 2.5, True, None], "map": {"x": -(2**63)}}
    assert layer.deserialize(layer.serialize(message)) == message
    with pytest.raises(SerializerDoesNotExist):
        SidecarChannelLayer(serializer_format="unheard of")


def test_encryption():
    old, new = (SidecarChannelLayer(symmetric_encryption_keys=[key]) for key in ("old", b"new"))
    both = SidecarChannelLayer(symmetric_encryption_keys=["new", "old"])
    assert b"secret" not in both.serialize({"secret": 1})
    assert new.deserialize(both.serialize({"secret": 1})) == {"secret": 1}
    assert both.deserialize(old.serialize({"secret": 2})) == {"secret": 2}
    with pytest.raises(ValueError, match="list"):
        SidecarChannelLayer(symmetric_encryption_keys="one")


def test_a_serialiser_of_the_application(monkeypatch):
    class Shouting(JSONSerializer):
        def as_bytes(self, message):
            return super().as_bytes(message).upper()

    monkeypatch.setitem(registry._classes, "shouting", Shouting)
    layer = SidecarChannelLayer(serializer_format="shouting", random_prefix_length=4)
    assert layer.serialize({"a": "b"})[4:] == b'{"A": "B"}'
    assert layer.deserialize(layer.serialize({"a": "b"})) == {"A": "B"}


def test_a_serialiser_registered_with_channels_redis():
    theirs = pytest.importorskip("channels_redis.serializers")
    assert "channels_redis.serializers" in sys.modules
    theirs.registry.register_serializer("theirs", theirs.JSONSerializer)
    assert SidecarChannelLayer(serializer_format="theirs").serialize({"a": 1}) == b'{"a": 1}'


def test_options_and_attributes_of_channels_redis():
    layer = SidecarChannelLayer(
        hosts=["redis://a", "redis://b"], prefix="p", expiry=3, group_expiry=4, capacity=5,
        channel_capacity={"tiny": 1, re.compile("b.*"): 2},
    )  # fmt: skip
    assert layer.extensions == ["groups", "flush"]
    assert (layer.prefix, layer.expiry, layer.group_expiry, layer.capacity) == ("p", 3, 4, 5)
    assert [layer.get_capacity(name) for name in ("tiny", "big", "other")] == [1, 2, 5]
    assert layer._group_key("test_group") == b"p:group:test_group"
    assert layer.ring_size == 2
    assert re.fullmatch("[0-9a-f]{32}", layer.client_prefix)
    assert layer.receive_buffer == {}
    assert "redis://a" in str(layer)
