"""Story 4: as a user I chat: what one says is seen by all, also after something was restarted."""

import contextlib
import json
import secrets
import time

import http_client
import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from support.polling import eventually


class Member:
    """A browser's part: comes back when the connection is lost, and goes on behind what it has seen."""

    def __init__(self, hdms, room, user):
        self.url = f"ws://127.0.0.1:{hdms.port('communication-service')}/ws/rooms/{room}/?user={user}"
        self.socket = None
        self.seen = []
        self.last = 0

    def __enter__(self):
        self.open()
        return self

    def __exit__(self, *_):
        self.close()

    def open(self):
        self.close()
        self.socket = connect(f"{self.url}&after={self.last}", open_timeout=5)

    def close(self):
        if self.socket:
            with contextlib.suppress(OSError, WebSocketException):
                self.socket.close()
            self.socket = None

    def say(self, text):
        self.socket.send(json.dumps({"type": "message", "text": text, "reference": secrets.token_hex(6)}))

    def read(self, seconds=0.05):
        """Takes in what came; a lost connection is opened again."""
        try:
            if self.socket is None:
                self.open()
            while True:
                content = json.loads(self.socket.recv(timeout=seconds))
                if content["type"] == "message":
                    message = content["message"]
                    self.last = message["number"]
                    self.seen.append(message["text"])
        except TimeoutError:
            pass
        except (OSError, WebSocketException):
            self.socket = None

    def sees(self, text):
        self.read()
        return text in self.seen


@pytest.fixture
def members(hdms):
    room = hdms.room()
    with contextlib.ExitStack() as opened:
        yield [opened.enter_context(Member(hdms, room, f"user{index}")) for index in range(5)]


def everyone_sees(members, text, seconds=20):
    for member in members:
        eventually(lambda: member.sees(text), seconds, message=f"{text!r} is not among {member.seen}")


def say_until_taken(members, text, seconds=30):
    """Said again on a new connection until it was taken; a text is seen at least once."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, WebSocketException, AttributeError):
            members[0].say(text)
            eventually(lambda: members[0].sees(text), 3)
            return
        members[0].read()
    raise AssertionError(f"{text!r} was not taken")


def test_a_message_is_broadcast_to_all(members):
    members[0].say("good morning")
    everyone_sees(members, "good morning")


def test_a_message_over_http_reaches_the_sockets_too(hdms):
    room = hdms.room()
    with Member(hdms, room, "listener") as member:
        path = f"/api/rooms/{room}/messages/"
        answer = http_client.post(
            hdms.port("communication-service"), path, {"text": "by post", "author": "tester"}
        )
        assert answer.status == 201, answer
        everyone_sees([member], "by post")


@pytest.mark.parametrize("name", ["communication-service", "sidecar", "redis"])
def test_clients_and_layer_come_back_after_a_restart(hdms, members, name):
    members[0].say("before")
    everyone_sees(members, "before")
    hdms.stack.restart(name)
    hdms.wait_connected(services=["communication-service"])
    say_until_taken(members, f"after {name}")
    everyone_sees(members, f"after {name}")
    for member in members:
        assert member.seen.count("before") == 1
