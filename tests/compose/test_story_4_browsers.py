"""Story 4, as users see it: two tabs of a browser chat, and come back by themselves after a restart."""

import chromium
import http_client
import pytest

from support.polling import eventually

OPEN = "#state[data-state=open]"
SECONDS = 30


@pytest.fixture(scope="module")
def browser():
    if not chromium.program():
        pytest.fail("there is no chromium: ./dev setup engine installs it")
    with chromium.Chromium() as started:
        yield started


class Tab:
    def __init__(self, browser, hdms, room, user):
        self.page = browser.open(f"http://127.0.0.1:{hdms.port('communication-service')}/?room={room}")
        self.page.type("#user", user)
        self.page.press_enter()
        self.user = user

    def is_open(self):
        return bool(self.page.texts(OPEN))

    def say(self, text):
        self.page.type("#text", text)
        self.page.press_enter()

    def messages(self):
        return self.page.texts("#messages li[data-number] .text")

    def sees(self, text, seconds=SECONDS):
        eventually(
            lambda: text in self.messages(), seconds, 0.05, f"{self.user}: {text!r} not in {self.messages()}"
        )


@pytest.fixture
def tabs(browser, hdms):
    room = hdms.room()
    opened = [Tab(browser, hdms, room, user) for user in ("ann", "bob")]
    for tab in opened:
        eventually(tab.is_open, SECONDS, message=f"{tab.user} does not get in")
    yield opened
    for tab in opened:
        assert tab.page.errors == []
        tab.page.close()


def test_two_tabs_chat(tabs):
    ann, bob = tabs
    ann.say("hello, <b>bob</b>")
    bob.sees("hello, <b>bob</b>")
    bob.say("hello, ann")
    ann.sees("hello, ann")
    assert ann.messages() == bob.messages() == ["hello, <b>bob</b>", "hello, ann"]
    assert bob.page.texts("#messages li[data-number] .author") == ["ann", "bob"]


def test_who_joins_later_reads_what_was_said(tabs, browser, hdms):
    ann, _ = tabs
    ann.say("said before")
    ann.sees("said before")
    room = ann.page.run("document.querySelector('#room').value")
    late = Tab(browser, hdms, room, "cem")
    late.sees("said before")
    late.page.close()


def test_a_notification_appears_and_is_put_away(tabs, hdms):
    ann, bob = tabs
    body = {"user": "ann", "text": "your ticket was resolved"}
    answer = http_client.post(hdms.port("communication-service"), "/api/notifications/", body)
    assert answer.status == 201, answer
    notice = "#notifications li[data-notification]"
    eventually(lambda: "your ticket was resolved" in ann.page.texts(notice), SECONDS)
    assert "your ticket was resolved" not in bob.page.texts(notice)
    while ann.page.texts(notice):
        before = len(ann.page.texts(notice))
        ann.page.click(notice)
        eventually(lambda: len(ann.page.texts(notice)) < before, SECONDS)


@pytest.mark.parametrize("name", ["communication-service", "sidecar", "redis"])
def test_tabs_come_back_by_themselves(tabs, hdms, name):
    ann, bob = tabs
    ann.say("before")
    bob.sees("before")
    hdms.stack.restart(name)
    # Typed while nobody may be there: the page keeps it and sends it again.
    ann.say(f"while {name} was away")
    bob.sees(f"while {name} was away", 60)
    bob.say("after")
    ann.sees("after", 60)
    for tab in tabs:
        eventually(tab.is_open, SECONDS)
        assert tab.messages() == ["before", f"while {name} was away", "after"]
