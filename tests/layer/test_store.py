"""Several sidecars on one Redis are one layer: membership, counts, messages that wait, and what survives."""

import itertools
import signal
import time

import pytest

from support import eventually
from support.polling import stays

DB = 1
serial = itertools.count()


class Member:
    """A process of the layer on one node, with a connection that has said CH.HELLO."""

    def __init__(self, node, process=None, *options, prefix="asgi"):
        self.process = process or f"specific.p{next(serial)}"
        self.client = node.client(db=DB)
        hello = self.client.command("CH.HELLO", prefix, self.process, *options)
        assert isinstance(hello, list), hello
        self.hello = dict(zip(hello[::2], hello[1::2], strict=True))
        self.seen = 0
        self.inbox = []

    def __call__(self, *args):
        return self.client.command(*args)

    def channel(self, name="x"):
        return f"{self.process}!{name}"

    def fetch(self):
        """What has come: payloads of messages, in order; notices of membership are left out."""
        reply = self("CH.RECV", self.process, *(("ACK", self.seen) if self.seen else ()))
        assert reply is None or isinstance(reply, list), reply
        for item in reply or []:
            self.seen = item[0]
            if item[2] is not None:
                self.inbox.append(item[2])
        return self.inbox

    def receives(self, *payloads, seconds=5):
        eventually(lambda: len(self.fetch()) >= len(payloads), seconds, message=f"{self.inbox} of {payloads}")
        assert self.inbox == list(payloads)
        self.inbox = []


@pytest.fixture
def join(two_nodes):
    """join(0) is a new process on the first node, of a layer that no other test uses."""
    members = []
    prefix = f"layer{next(serial)}"

    def connect(node, *args):
        members.append(Member(two_nodes.nodes[node], *args, prefix=prefix))
        return members[-1]

    yield connect
    for member in members:
        member.client.close()


def test_direct_messages_cross_nodes_in_order(join):
    here, there = join(0), join(1)
    for number in range(50):
        assert there("CH.SEND", here.channel(), b"%d" % number) == 1
    here.receives(*(b"%d" % number for number in range(50)))


def test_the_home_node_says_when_a_process_is_full(join):
    here, there = join(0), join(1, None, "CAP", 3)
    replies = [there("CH.SEND", here.channel(), b"m") for _ in range(4)]
    assert replies[:3] == [1, 1, 1]
    assert replies[3].code == "CHANNELFULL"


def test_join_on_one_send_on_the_other(join):
    here, there = join(0), join(1)
    assert here("CH.GADD", "room", here.channel("a"), here.channel("b")) == 2
    assert there("CH.GADD", "room", there.channel()) == 1
    for member in (here, there):
        assert member("CH.GCOUNT", "room") == 3
        assert sorted(member("CH.GMEMBERS", "room")[1]) == sorted(
            name.encode() for name in (here.channel("a"), here.channel("b"), there.channel())
        )
        assert member("CH.GROUPS", "ro*")[1] == [b"room"]
    assert there("CH.GSEND", "room", b"hello") == 2
    here.receives(b"hello")
    there.receives(b"hello")


def test_a_foreign_join_and_leave_reach_the_home_node(join):
    here, there = join(0), join(1)
    assert there("CH.GADD", "room", here.channel()) == 1
    assert there("CH.GSEND", "room", b"in") == 1
    here.receives(b"in")
    assert there("CH.GREMALL", here.channel()) == 1
    assert here("CH.GCOUNT", "room") == 0
    there("CH.GSEND", "room", b"out")
    assert there("CH.SEND", here.channel(), b"direct") == 1
    here.receives(b"direct")


def test_tallies_come_from_all_nodes(join):
    here, there = join(0), join(1)
    here("CH.GADD", "room", here.channel("a"), here.channel("b"))
    there("CH.GADD", "room", there.channel())
    stats = there("CH.GSEND", "room", b"x", "EXCEPT", 1, here.channel("a"), "STATS")
    stats = dict(zip(stats[::2], stats[1::2], strict=True))
    assert stats[b"delivered"] == 2
    assert stats[b"nodes"] == 2


def test_a_repeated_id_is_refused_on_every_node(join):
    here, there = join(0), join(1)
    here("CH.GADD", "room", here.channel())
    assert there("CH.GSEND", "room", b"once", "ID", "k1") == 1
    assert here("CH.GSEND", "room", b"once", "ID", "k1") == 0
    assert here("CH.ID", "own") == 1
    assert there("CH.ID", "own") == 0
    here.receives(b"once")


def test_one_redis_message_per_node_and_group_message(two_nodes, join):
    here, there = join(0), join(1)
    for number in range(40):
        here("CH.GADD", "room", *(here.channel(f"c{number}_{each}") for each in range(25)))
    assert there("CH.GCOUNT", "room") == 1000
    with two_nodes.redis.client(db=DB) as monitor:
        assert monitor.command("MONITOR") == "OK"
        there("CH.GSEND", "room", b"payload-of-a-group-message")
        lines = []

        def published():
            while (line := monitor.read(timeout=0.2 if not lines else 0.05)) is not None:
                lines.append(line)
                if '"PUBLISH"' in line and "payload-of-a" in line:
                    return True
            return False

        eventually(published)
        here.receives(b"payload-of-a-group-message")
    assert sum('"PUBLISH"' in line and "payload-of-a" in line for line in lines) == 1
    assert max(map(len, lines)) < 2_000


def test_a_message_to_nobody_waits_until_it_expires(join):
    sender = join(0)
    late = f"specific.late{next(serial)}"
    assert sender("CH.SEND", f"{late}!x", b"short", "EX", 200) == 1
    assert sender("CH.SEND", f"{late}!x", b"long", "EX", 60_000) == 1
    begin = time.monotonic()
    eventually(lambda: time.monotonic() - begin > 0.25)
    join(1, late).receives(b"long")


def test_a_spool_has_the_capacity_of_its_sender(join):
    sender = join(0, None, "CAP", 2)
    replies = [sender("CH.SEND", "jobs", b"%d" % number) for number in range(3)]
    assert replies[:2] == [1, 1]
    assert replies[2].code == "CHANNELFULL"
    reader = join(1)
    assert [item[2] for item in reader("CH.RECV", "jobs")] == [b"0", b"1"]
    assert sender("CH.SEND", "jobs", b"3") == 1


def test_a_waiting_reader_on_another_node_is_woken(join):
    reader, sender = join(0), join(1)
    reader.client.send_command("CH.RECV", "jobs", "BLOCK", 4000)
    stays(lambda: not reader.client.wait_readable(0), 0.2)
    begin = time.monotonic()
    assert sender("CH.SEND", "jobs", b"work") == 1
    assert reader.client.read(timeout=5)[0][2] == b"work"
    assert time.monotonic() - begin < 2


def test_flush_is_seen_by_every_node(two_nodes, join):
    here, there = join(0), join(1)
    here("CH.GADD", "room", here.channel())
    there("CH.SEND", here.channel(), b"gone")
    there("CH.SEND", "jobs", b"gone")
    there("CH.GSEND", "room", b"gone", "HIST", 5, 60)
    assert there("CH.FLUSH") == "OK"
    assert here("CH.GCOUNT", "room") == 0
    assert here.fetch() == []
    assert here("CH.RECV", "jobs") in (None, [])
    assert there("CH.HIST", "room")[3] == []
    assert there("CH.SEND", here.channel(), b"after") == 1
    here.receives(b"after")
    for key in two_nodes.keys("__sidecar:ch:*"):
        assert two_nodes.upstream("PTTL", key) > 0, key


def test_history_is_recovered_whole_or_not_at_all(join):
    here, there = join(0), join(1)
    for number in range(5):
        here("CH.GSEND", "room", b"%d" % number, "HIST", 3, 60)
    epoch, top, recovered, items = there("CH.HIST", "room")
    assert (top, recovered) == (5, 1)
    assert items == [[3, b"2"], [4, b"3"], [5, b"4"]]

    def since(offset, *more, at=epoch):
        return there("CH.HIST", "room", "SINCE", at + b":%d" % offset, *more)[2:]

    assert since(3) == [1, [[4, b"3"], [5, b"4"]]]
    assert since(5) == [1, []]
    assert since(1) == [0, []], "offset 2 has been trimmed"
    assert since(2, "LIMIT", 2) == [0, []], "three do not fit"
    assert since(6) == [0, []], "nobody has sent that yet"
    assert since(3, at=b"other") == [0, []]


def test_a_process_that_moves_takes_its_messages_along(join):
    first, sender = join(0), join(1)
    first("CH.GADD", "room", first.channel())
    sender("CH.SEND", first.channel(), b"unread")
    moved = join(1, first.process)
    moved.receives(b"unread")
    sender("CH.GSEND", "room", b"group")
    moved.receives(b"group")
    assert sender("CH.GCOUNT", "room") == 1


def test_processes_of_a_killed_node_recover_on_the_other(sites):
    site = sites(nodes=2)
    here, there = Member(site.nodes[0]), Member(site.nodes[1])
    assert here("CH.GADD", "room", here.channel()) == 1
    assert there("CH.GSEND", "room", b"1") == 1
    here.receives(b"1")
    site.nodes[0].process.send_signal(signal.SIGKILL)
    eventually(lambda: not site.nodes[0].running)
    site.nodes.pop(0)
    assert there("CH.SEND", here.channel(), b"2") == 1
    there("CH.GSEND", "room", b"3")
    again = Member(site.nodes[0], here.process)
    again.receives(b"2", b"3")
    there("CH.GSEND", "room", b"4")
    again.receives(b"4")
    assert there("CH.GCOUNT", "room") == 1


def test_who_does_not_come_back_from_a_killed_node_is_swept(sites):
    site = sites(nodes=2)
    here, there = Member(site.nodes[0], None, "GRACE", 1), Member(site.nodes[1])
    here("CH.GADD", "room", *(here.channel(f"c{number}") for number in range(700)))
    site.nodes[0].process.send_signal(signal.SIGKILL)
    eventually(lambda: not site.nodes[0].running)
    site.nodes.pop(0)
    there("CH.GSEND", "room", b"its node is noticed to be dead")
    assert there("CH.GCOUNT", "room") == 700
    eventually(lambda: there("CH.GCOUNT", "room") == 0, 15)
    assert there("CH.GROUPS", "*")[1] == []


@pytest.mark.parametrize("data", ["kept", "lost"])
def test_redis_restarts_in_between(sites, data):
    site = sites(nodes=2)
    here, there = Member(site.nodes[0]), Member(site.nodes[1])
    here("CH.GADD", "room", here.channel("a"), here.channel("b"))
    there("CH.GADD", "room", there.channel())
    there("CH.GSEND", "room", b"before")
    here.receives(b"before")
    if data == "lost":
        site.upstream("FLUSHALL")
    site.redis.kill()
    site.redis.start()

    def registered():
        return there("CH.GCOUNT", "room") == 3 and here("CH.GCOUNT", "room") == 3

    eventually(registered, 10)

    def reaches_both():
        return there("CH.GSEND", "room", b"after") == 2

    eventually(reaches_both, 5)
    assert there("CH.SEND", here.channel(), b"direct") == 1
    eventually(lambda: b"direct" in here.fetch())
    assert set(here.inbox[:-1]) == {b"after"}
    assert here.inbox[-1] == b"direct"


def test_data_lost_under_running_nodes_is_written_again(two_nodes, join):
    here, there = join(0), join(1)
    here("CH.GADD", "room", here.channel())
    two_nodes.upstream("FLUSHALL")
    eventually(lambda: there("CH.GCOUNT", "room") == 1, 10)
    there("CH.GSEND", "room", b"x")
    here.receives(b"x")


def test_clients_neither_see_nor_reach_the_inboxes(two_nodes, join):
    join(0)
    with two_nodes.nodes[0].client(db=DB) as client:
        inboxes = two_nodes.upstream("PUBSUB", "CHANNELS", "__sidecar:ch:in:*")
        assert inboxes
        assert client.command("PUBLISH", inboxes[0], "x").code == "NOPERM"
        assert client.command("SUBSCRIBE", inboxes[0]).code == "NOPERM"
        script = "return redis.call('PUBLISH', ARGV[1], 'x')"
        assert hasattr(client.command("EVAL", script, 0, inboxes[0]), "code")
