"""Rules that the sidecar keeps at delivery: revoked, paused by task name, drained, paced."""

import pytest

from lab.commands import Commands
from lab.environments import Environment
from support import eventually

GOOD = 0


@pytest.fixture
def good(site):
    """Runs a command that must succeed; its JSON."""
    run = Commands(site.http_url)

    def checked(*arguments):
        done = run(*arguments, "--json")
        assert done.status == GOOD, done
        return done.json

    return checked


@pytest.fixture
def client(clients, apps):
    return clients(Environment.newest, apps())


@pytest.fixture
def worker(workers, apps):
    return lambda **options: workers(Environment.newest, apps(), **options)


def test_a_revoked_task_is_never_delivered_though_no_worker_was_there(good, client, site, worker, journal):
    revoked = client.send("lab.record", "revoked")
    good("revoke", revoked, "--reason", "a mistake")
    assert [one["subject"] for one in good("revoke", "--list")["items"]] == [revoked]
    client.send("lab.record", "next")
    worker()
    journal.wait_for(["next"])
    eventually(lambda: site.depth() == 0 and site.unacked() == 0)
    assert journal.runs("revoked") == []


def test_a_paused_task_name_lets_the_rest_pass_and_comes_back(good, client, site, worker, journal):
    good("pause", "--task", "lab.hold")
    go = journal.path.parent / "go"
    go.touch()
    client.send("lab.hold", "held", str(go))
    client.send("lab.record", "passes")
    worker()
    journal.wait_for(["passes"])
    eventually(lambda: site.depth() == 0 and site.unacked() == 0)
    assert journal.runs("held") == [] and journal.runs("begin") == []
    good("resume", "--task", "lab.hold")
    journal.wait_for(["held"])


def test_a_drained_queue_is_finished_and_what_came_later_waits(good, client, site, worker, journal):
    client.send_many("lab.record", ["old 1", "old 2"])
    eventually(lambda: site.depth() == 2)
    good("drain", "celery")
    client.send("lab.record", "new")
    assert site.depth() == 2
    worker()
    journal.wait_for(["old 1", "old 2"])
    assert journal.runs("new") == []
    good("resume", "celery")
    journal.wait_for(["new"])


def test_a_rate_is_kept(good, client, worker, journal):
    client.send_many("lab.record", [f"m{number}" for number in range(60)])
    good("rate", "celery", "10/s")
    worker()
    eventually(lambda: len(journal.runs()) >= 5, 30)
    begin = journal.path.stat().st_mtime
    eventually(lambda: len(journal.runs()) >= 25, 30)
    taken = journal.path.stat().st_mtime - begin
    assert taken > 1.2, f"20 messages at 10/s took {taken:.1f} s"
    good("rate", "celery", "off")
    journal.wait_for(f"m{number}" for number in range(60))
