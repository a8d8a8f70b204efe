"""Group messages that meet a process which is just coming home: on its way from node to node, and between the
shards of one node, whoever sends them."""

import contextlib
import itertools
import threading

import pytest
import redis

MOVES = 120
PROCESS = "specific.mover"
LAYERS = itertools.count()
TERMS = ("CAP", 1_000_000, "GRACE", 60)


def connection(site, node, process, layer):
    client = redis.Redis.from_url(site.url(node), single_connection_client=True)
    client.execute_command("CH.HELLO", layer, process, *TERMS)
    return client


class Sender:
    """Sends numbers to the group through one node until it is told to stop."""

    def __init__(self, connect, node, name):
        self.name, self.sent, self.failure = name, 0, None
        self._connect, self._node = connect, node
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            with contextlib.closing(self._connect(self._node, f"specific.{self.name}")) as client:
                while not self._over.is_set():
                    client.execute_command("CH.GSEND", "g", f"{self.name} {self.sent}")
                    self.sent += 1
        except redis.RedisError as failure:
            self.failure = failure

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(20)


def at_home(connect, client, node=0):
    """A node that was told late of the first move takes the second for none, and says so when asked."""
    while True:
        try:
            client.execute_command("CH.ACK", PROCESS, 0, "HELD", 0)
            return client
        except redis.ResponseError as refusal:
            assert str(refusal).startswith("NOHELLO")
            client.close()
            client = connect(node, PROCESS)


def drain(client, got, wait_ms=0):
    """Everything that waits, acknowledged."""
    acknowledge = ()
    while messages := client.execute_command(
        "CH.RECV", PROCESS, *acknowledge, "COUNT", 1000, "BLOCK", wait_ms
    ):
        for seq, _, body, *_ in messages:
            if body is not None:  # else it tells of a membership
                name, number = body.decode().split()
                got.setdefault(name, []).append(int(number))
            acknowledge = ("ACK", seq)


@pytest.mark.parametrize("home", ["two nodes", "one node"])
def test_what_meets_a_homecoming_arrives_once(two_nodes, home):
    layer = f"moving{next(LAYERS)}"

    def connect(node, process=PROCESS):
        return connection(two_nodes, node, process, layer)

    got = {}
    client = connect(0)
    client.execute_command("CH.GADD", "g", f"{PROCESS}!1")
    with contextlib.ExitStack() as stack:
        senders = [stack.enter_context(Sender(connect, n % 2, f"s{n}")) for n in range(4)]
        for move in range(1, MOVES + 1):
            drain(client, got)
            client.close()
            if home == "one node":
                # On the other node and back at once: the claim that counts is the second.
                connect(1).close()
                client = at_home(connect, connect(0))
            else:
                client = at_home(connect, connect(move % 2), move % 2)
    assert [sender.failure for sender in senders] == [None] * 4
    complete = {sender.name: list(range(sender.sent)) for sender in senders}
    for _ in range(20):  # what one node hands to another may still be on its way
        if sum(map(len, got.values())) >= sum(map(len, complete.values())):
            break
        drain(client, got, wait_ms=500)
    client.close()
    assert min(len(numbers) for numbers in complete.values()) > MOVES
    assert {name: sorted(set(all_) - set(got.get(name, []))) for name, all_ in complete.items()} == {
        name: [] for name in complete
    }
    assert {name: len(numbers) for name, numbers in got.items()} == {
        name: len(all_) for name, all_ in complete.items()
    }
