"""The commands that change something, and what Redis and the workers see of it."""

import pytest

from lab.commands import Commands
from lab.environments import Environment
from support import eventually

GOOD, FAILED, BAD_USAGE, NOT_FOUND, REFUSED = range(5)


@pytest.fixture
def run(site):
    return Commands(site.http_url)


@pytest.fixture
def good(run):
    """Runs a command that must succeed; its JSON."""

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


def tags(site, queue="celery"):
    return [message["properties"]["delivery_tag"] for message in site.messages(queue)]


def labels(site, queue="celery"):
    return [message["headers"]["argsrepr"] for message in site.messages(queue)]


def test_purge_asks_with_the_count_and_undo_brings_it_back(run, client, site):
    client.send_many("lab.record", [f"m{number}" for number in range(7)])
    before = labels(site)
    with run.on_terminal("purge", "celery") as terminal:
        terminal.expect("Purge 7 messages of queue celery? [y/N]")
        terminal.type("n\n")
        assert terminal.finish() == REFUSED
    assert labels(site) == before
    with run.on_terminal("purge", "celery") as terminal:
        terminal.expect("[y/N]")
        terminal.type("y\n")
        terminal.expect("7 messages purged")
        assert terminal.finish() == GOOD
        undo = terminal.text().split("sidecar undo ")[1].split()[0]
    assert site.depth() == 0
    assert run("undo", undo).status == GOOD
    assert labels(site) == before


def test_purge_in_a_script_needs_yes_or_the_count(run, client, site):
    client.send_many("lab.record", ["a", "b", "c"])
    assert run("purge", "celery").status == BAD_USAGE
    conflict = run("purge", "celery", "--expect", 2)
    assert conflict.status == REFUSED and "3" in conflict.err
    assert site.depth() == 3
    assert run("purge", "celery", "--expect", 3).status == GOOD
    client.send("lab.record", "d")
    assert run("purge", "celery", "--yes").status == GOOD
    assert site.depth() == 0


def test_one_message_is_deleted_and_brought_back(good, run, client, site):
    client.send_many("lab.record", [f"m{number}" for number in range(5)])
    before, tag = labels(site), tags(site)[2]
    undo = good("delete", tag, "--yes")["undo"]
    assert labels(site) == before[:2] + before[3:]
    assert run("delete", tag, "--yes").status == NOT_FOUND
    listed = good("undo")["items"]
    assert [one["id"] for one in listed] == [undo] and listed[0]["message"]["task"] == "lab.record"
    good("undo", undo)
    assert sorted(labels(site)) == sorted(before)


def test_messages_that_match_are_moved_and_the_worker_runs_them_there(good, client, site, worker, journal):
    client.send_many("lab.record", ["a", "b"])
    client.send("lab.add", 1, 2)
    good("move", "--queue", "celery", "--task", "lab.record", "--to", "elsewhere", "--yes")
    assert site.depth() == 1 and site.depth("elsewhere") == 2
    moved = site.messages("elsewhere")
    assert {message["properties"]["delivery_info"]["routing_key"] for message in moved} == {"elsewhere"}
    worker(queues="elsewhere")
    journal.wait_for(["a", "b"])
    assert site.depth() == 1


def test_a_message_is_requeued_to_either_end(good, client, site):
    client.send_many("lab.record", [f"m{number}" for number in range(4)])
    before = tags(site)
    good("requeue", before[0])
    assert labels(site)[-1] == "['m0']"
    good("requeue", tags(site)[2], "--front")
    assert labels(site) == ["['m3']", "['m1']", "['m2']", "['m0']"]


def test_a_message_is_edited_and_runs_as_edited(good, client, site, worker, journal):
    client.send("lab.record", "wrong")
    good("edit", tags(site)[0], "--args", '["right"]', "--priority", 3)
    assert site.upstream("LLEN", "celery\x06\x163") == 1
    worker()
    journal.wait_for(["right"])
    assert journal.runs("wrong") == []


def test_the_audit_says_who_changed_what(good, client, site):
    client.send("lab.record", "a")
    tag = tags(site)[0]
    good("delete", tag, "--yes", "--reason", "no longer wanted")
    good("pause", "celery")
    good("resume", "celery")
    entries = good("audit")["items"]
    actions = [entry["action"] for entry in entries]
    assert {"delete", "pause", "resume"} <= set(actions)
    deleted = next(entry for entry in entries if entry["action"] == "delete")
    assert deleted["tag"] == tag and deleted["reason"] == "no longer wanted" and deleted["by"]


def test_a_viewer_changes_nothing(sites, clients, apps):
    site = sites("--http-token", "viewer", "--http-operator-token", "operator")
    clients(Environment.newest, apps(broker=site.broker)).send("lab.record", "a")
    run = Commands(site.http_url)
    assert run("purge", "celery", "--yes", "--token", "viewer").status == REFUSED
    assert run("pause", "celery", "--token", "viewer").status == REFUSED
    assert site.depth() == 1
    eventually(lambda: run("purge", "celery", "--yes", "--token", "operator").status == GOOD, 15, 0.2)
    assert site.depth() == 0
