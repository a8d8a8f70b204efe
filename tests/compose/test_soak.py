"""`./dev test --soak 20m`: the stack under use while its parts are restarted in turn, and no manual step.

After each restart everything must be connected again by itself, and what was accepted must not be lost: each
ticket is found, each upload finished.
"""

import contextlib
import random
import re
import threading
import time

import http_client
import pytest
from environment import SERVICES
from test_story_3_broker import FINAL, finished

from support.polling import eventually

PARTS = ("redis", "pgbouncer", "postgres", "sidecar", *SERVICES, "file-worker")
QUIET_SECONDS = 10
# Far beyond what a quiet machine needs: what counts is that nobody had to do anything.
RECONNECT_SECONDS = 120
UNITS = {"s": 1, "m": 60, "h": 3600}
HELD_MAX = 5000


def duration(text):
    match = re.fullmatch(r"(\d+)([smh])", text)
    assert match, f"--soak {text}: a number and s, m or h"
    return int(match[1]) * UNITS[match[2]]


class Load:
    """One user in a thread: makes tickets and uploads, notes what was accepted and what was refused."""

    def __init__(self, hdms):
        self.hdms = hdms
        self.accepted = {"tickets": 0, "uploads": 0}
        self.refused = 0
        self.surprises = []
        self.tickets = []
        self.uploads = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(120)

    def work(self):
        number = 0
        while not self.stopping.wait(0.2):
            number += 1
            try:
                self.once(number)
            except http_client.CONNECTION_ERRORS:
                self.refused += 1

    def once(self, number):
        answers = {
            "tickets": self.hdms.create_ticket(f"soak {number}", timeout=60),
            "uploads": self.hdms.upload(f"soak-{number}.txt", b"x" * 100, timeout=60),
        }
        for kind, answer in answers.items():
            if answer.status in (201, 202):
                self.accepted[kind] += 1
                held = getattr(self, kind)
                held.append(answer.json()["id"])
                del held[:-HELD_MAX]
            elif answer.status == 503 and answer.headers["Retry-After"]:
                self.refused += 1
            else:
                self.surprises.append(repr(answer))


@pytest.mark.timeout(0)
def test_soak(running, request, table):
    asked = request.config.getoption("--soak")
    if not asked:
        pytest.skip("--soak DURATION runs it")
    hdms = running
    hdms.wait_connected()
    end = time.monotonic() + duration(asked)
    slowest = dict.fromkeys(PARTS, 0.0)
    restarts = 0
    with Load(hdms) as load:
        while time.monotonic() < end:
            name = random.choice(PARTS)
            hdms.stack.restart(name)
            began = time.monotonic()
            hdms.wait_connected(RECONNECT_SECONDS)
            slowest[name] = max(slowest[name], time.monotonic() - began)
            restarts += 1
            with contextlib.suppress(AssertionError):
                eventually(lambda: time.monotonic() > end, QUIET_SECONDS, 0.2)
    assert load.surprises == []
    for number in load.tickets:
        assert hdms.sql("SELECT 1 FROM ticket_service_ticket WHERE id = %s", number) == [(1,)]
    for number in load.uploads:
        finished(hdms, number, 400)
    lost = hdms.sql("SELECT count(*) FROM file_service_upload WHERE NOT state = ANY(%s)", list(FINAL))
    table.append(
        f"soak of {asked}: {restarts} restarts, accepted {load.accepted}, refused {load.refused} while away"
    )
    table += [
        f"  slowest recovery after {name}: {seconds:.2f} s" for name, seconds in slowest.items() if seconds
    ]
    assert lost == [(0,)]
    assert restarts > 0
