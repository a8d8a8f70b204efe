"""The link to Redis is cut at every byte of a short conversation, in both directions; Redis is the truth."""

import dataclasses
import time

import pytest

from support import Closed, Ending, FaultProxy, Towards, encode, eventually
from support.polling import slack

SERVES_AGAIN_SECONDS = 1.0
LINKS = 5  # of one shard: control, subscriptions, and one per db
EVERY_KIND = 6_000  # bytes: far more than the conversation has


@dataclasses.dataclass
class State:
    """What Redis holds for one round, as a value."""

    text: bytes | None
    number: bytes | None
    items: tuple


def writes(popped):
    """States of Redis after none, one, two … of the conversation's writes; `popped` elements are gone."""
    items = (b"c", b"b", b"a")
    return [
        State(None, None, ()),
        State(b"value", None, ()),
        State(b"value", b"1", ()),
        State(b"value", b"1", (b"b", b"a")),
        State(b"value", b"2", items),
        State(b"value", b"2", items[: 3 - popped]),
    ]


class Conversation:
    """Its bytes are equally many in each round."""

    def __init__(self, round_number):
        tag = f"{round_number:05d}"
        self.text, self.number, self.items, self.channel = (f"{kind}{tag}" for kind in "tnlc")
        t, n, items = self.text, self.number, self.items
        listed = b"*2\r\n$6\r\n%b\r\n$1\r\n%%b\r\n" % items.encode()
        self.listed = listed
        # (command, reply, does it write)
        self.steps = [
            (("SET", t, "value"), b"+OK\r\n", True),
            (("GET", t), b"$5\r\nvalue\r\n", False),
            (("INCR", n), b":1\r\n", True),
            (("LPUSH", items, "a", "b"), b":2\r\n", True),
            (("MULTI",), b"+OK\r\n", False),
            (("INCR", n), b"+QUEUED\r\n", False),
            (("LPUSH", items, "c"), b"+QUEUED\r\n", False),
            (("EXEC",), b"*2\r\n:2\r\n:3\r\n", True),
            (("MGET", t, n), b"*2\r\n$5\r\nvalue\r\n$1\r\n2\r\n", False),
            (("BRPOP", items, 2), listed % b"a", True),
            (("PUBLISH", self.channel, "hello"), b":1\r\n", False),
            (("GET", n), b"$1\r\n2\r\n", False),
        ]

    def at_once(self):
        """As batches of commands: all in one, with most of them unanswered at any moment."""
        return [[command for command, _, _ in self.steps]]

    def one_by_one(self):
        """Each after the answer of the one before, but for the transaction, which would need a lease."""
        commands = self.at_once()[0]
        return [[each] for each in commands[:4]] + [commands[4:8]] + [[each] for each in commands[8:]]

    def check_replies(self, frames, closed, pops_unknown, message_lost):
        """Every reply that came is its command's, in order; all came, or the client was closed."""
        assert len(frames) <= len(self.steps)
        for frame, (command, expected, _) in zip(frames, self.steps):
            allowed = {expected}
            if command[0] == "BRPOP" and pops_unknown:
                allowed.add(self.listed % b"b")  # asked again, after an element had died with the link
            if command[0] == "PUBLISH" and message_lost:
                allowed.add(b":0\r\n")
            assert frame in allowed, (command, frame)
        assert closed or len(frames) == len(self.steps), "neither all replies nor a closed connection"

    def check_truth(self, redis, frames, pops_unknown):
        """What was acknowledged is there; what was not, at most once, and nothing out of order."""
        acknowledged = sum(write for _, _, write in self.steps[: len(frames)])
        allowed = writes(1)[acknowledged:]
        allowed += [state for lost in range(pops_unknown) for state in writes(2 + lost)[-1:]]
        with redis.client() as direct:
            text, number, items = direct.pipeline(
                ("GET", self.text), ("GET", self.number), ("LRANGE", self.items, 0, -1)
            )
        found = State(text, number, tuple(items))
        assert found in allowed, f"{acknowledged} writes acknowledged, {pops_unknown} pops unknown: {found}"


class Site:
    """Redis behind the fault proxy, the sidecar, and clients that must not notice more than they have to."""

    def __init__(self, start, proxy, redis):
        self.redis, self.proxy = redis, proxy
        self.sidecar = start.sidecar(proxy.url, "--threads", "1")
        self.other, self.listener = start.client(self.sidecar), start.client(self.sidecar)
        self.unknown_pops = 0

    def subscribe(self, channel):
        self.listener.send(encode("UNSUBSCRIBE") + encode("SUBSCRIBE", channel))
        while self.listener.read(5)[0] != b"subscribe":
            pass

    def message_came_or(self, otherwise):
        def came():
            return otherwise() or self.listener.available()

        eventually(came, interval=0.001, message="PUBLISH counted a subscriber who got nothing")

    def warm_up(self):
        """So that a round begins with every link there: its bytes are then always the same."""
        self.other.send(encode("LPUSH", "warm", "x") + encode("BRPOP", "warm", 5))
        assert self.other.read_frames(2, 5) == [b":1\r\n", b"*2\r\n$4\r\nwarm\r\n$1\r\nx\r\n"]
        eventually(self.all_links_ready, interval=0.003)

    def all_links_back(self):
        """The proxy is asked first: the sidecar may still count a link as ready that was cut a moment ago."""
        return self.proxy.open_links >= LINKS and self.all_links_ready()

    def all_links_ready(self):
        samples = self.sidecar.metrics()
        self.unknown_pops = int(samples["sidecar_pops_unknown_total"])
        return samples["sidecar_links_down"] == 0 and samples["sidecar_links_ready"] >= LINKS


@pytest.fixture
def site(start):
    redis = start.redis()
    with FaultProxy(redis.address) as proxy:
        yield Site(start, proxy, redis)


def play(site, talk, batches):
    """(frames, closed): reads until all is answered or the client is closed."""
    frames = []
    with site.sidecar.client() as client:
        try:
            for commands in batches:
                client.send(b"".join(encode(*command) for command in commands))
                for _ in commands:
                    frames.append(client.read_frame(8))
        except Closed:
            return frames, True
    return frames, False


def others_are_served(site, round_number):
    began = time.monotonic()
    assert site.other.command("SET", "other", round_number, timeout=5) == "OK"
    assert site.other.command("GET", "other", timeout=5) == str(round_number).encode()
    took = time.monotonic() - began
    assert took < slack(SERVES_AGAIN_SECONDS), f"served again only after {took:.2f} s"


def one_round(site, offset, towards, how, every_link, batches_of):
    """False when the conversation was over before the cut."""
    talk = Conversation(offset)
    site.warm_up()
    site.subscribe(talk.channel)
    before = site.unknown_pops
    cut = site.proxy.cut_after(offset, towards, how, every_link)
    frames, closed = play(site, talk, batches_of(talk))
    if not closed:
        site.message_came_or(cut.done.is_set)
    site.proxy.disarm()
    happened = cut.done.is_set()
    assert happened or not closed
    others_are_served(site, offset)
    eventually(lambda: site.proxy.settled)
    eventually(site.all_links_ready, interval=0.003)
    lost = site.unknown_pops - before
    assert lost <= (1 if happened else 0)
    talk.check_replies(frames, closed, lost, happened)
    talk.check_truth(site.redis, frames, lost)
    return happened


@pytest.mark.parametrize("towards", list(Towards), ids=lambda towards: f"towards {towards.value}")
def test_cut_within_the_handshakes(site, towards):
    """Links come back in spite of it, each time with another byte missing."""
    site.warm_up()
    for offset in range(0, 900, 3):
        cut = site.proxy.cut_after(offset, towards)
        site.proxy.cut_all()
        eventually(lambda: site.all_links_back() or cut.done.is_set(), interval=0.003)
        if not cut.done.is_set():
            break
        assert site.other.command("SET", "other", offset, timeout=5) == "OK"
        assert site.other.command("GET", "other", timeout=5) == str(offset).encode()
        eventually(site.all_links_back, interval=0.003)
    site.proxy.disarm()
    assert offset > 100, "handshakes were shorter than expected"


@pytest.mark.parametrize("towards", list(Towards), ids=lambda towards: f"towards {towards.value}")
@pytest.mark.parametrize(
    "how, every_link, batches_of",
    [
        (Ending.close, False, Conversation.one_by_one),
        (Ending.reset, True, Conversation.at_once),
        (Ending.close, True, Conversation.one_by_one),
        (Ending.reset, False, Conversation.at_once),
    ],
    ids=["close one link", "reset all links", "close all links", "reset one link"],
)
def test_cut_at_every_byte(site, towards, how, every_link, batches_of, request):
    if (how is Ending.close) == every_link and request.config.getoption("--rounds") == 1:
        pytest.skip("both ends in both ways with --rounds 2")
    rounds = 0
    while one_round(site, rounds, towards, how, every_link, batches_of):
        rounds += 1
        assert rounds < EVERY_KIND, "the conversation does not end"
    assert rounds > 150, "of about 160 bytes of replies, 450 of requests"
    assert site.proxy.cuts >= rounds
    assert site.sidecar.metric("sidecar_links_lost_total") >= rounds
