"""Rules that the sidecar keeps at delivery: revoked, paused by task name, drained, paced."""

import pytest

from lab.commands import Commands
from lab.environments import Environment
from support import eventually, stays

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


def test_a_revoked_task_is_never_delivered_though_no_worker_was_there(good, client, site, worker, journal):
    revoked = client.send("lab.record", "revoked")
    good("revoke", revoked, "--reason", "a mistake")
    assert [one["subject"] for one in good("revoke", "--list")["items"]] == [revoked]
    client.send("lab.record", "next")
    worker()
    journal.wait_for(["next"])
    eventually(lambda: site.depth() == 0 and site.unacked() == 0)
    assert journal.runs("revoked") == []


@pytest.mark.parametrize("serializer, protocol", [("json", 2), ("json", 1), ("pickle", 1)])
def test_a_paused_task_name_lets_the_rest_pass_and_comes_back(
    good, clients, apps, site, worker, journal, serializer, protocol
):
    client = clients(Environment.newest, apps(serializer=serializer, protocol=protocol))
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


@pytest.mark.parametrize("protocol", [1, 2])
def test_a_revoked_task_name_is_not_delivered(good, clients, apps, site, worker, journal, protocol):
    client = clients(Environment.newest, apps(protocol=protocol))
    good("revoke", "--task", "lab.add", "--yes", "--reason", "a mistake")
    revoked = client.send("lab.add", 1, 2)
    client.send("lab.record", "passes")
    worker()
    journal.wait_for(["passes"])
    eventually(lambda: site.depth() == 0 and site.unacked() == 0)
    (dropped,) = good("undo")["items"]
    assert dropped["message"]["id"] == revoked


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


def test_a_push_in_a_transaction_typed_step_by_step_is_put_aside_too(good, client, site):
    client.send("lab.record", "before")
    eventually(lambda: site.depth() == 1)
    message = site.upstream("LINDEX", "celery", 0)
    good("drain", "celery")
    with site.sidecar.client(db=2) as raw:
        for command in ("MULTI",), ("LPUSH", "celery", message), ("LLEN", "celery"):
            raw.command(*command)
        assert raw.command("EXEC") == [1, 1]
    assert site.depth() == 1 and good("queues", "celery")["held"] == 1
    good("resume", "celery")
    assert site.depth() == 2


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


def test_what_was_put_aside_is_listed_and_comes_back_in_its_order(good, client, site, worker, journal):
    labels = [f"m{number:02}" for number in range(20)]
    client.send("lab.record", "before")
    good("drain", "celery")
    client.send_many("lab.record", labels)
    held = good("held", "celery")["items"]
    assert [one["args"][0] for one in held] == labels, "next to run first"
    assert good("queues", "celery")["held"] == len(labels) and good("queues", "celery")["state"] == "draining"
    good("held", "celery", held[3]["tag"], "--requeue", "--yes")
    worker(concurrency=1)
    journal.wait_for(["before", labels[3]])
    answer = good("resume", "celery")
    assert answer["given_back"] == len(labels) - 1
    journal.wait_for(labels)
    assert journal.runs("m") == [labels[3], *labels[:3], *labels[4:]]


def test_a_task_name_that_goes_on_runs_in_its_order_and_before_what_came_later(
    good, client, site, worker, journal
):
    good("pause", "--task", "lab.record")
    client.send_many("lab.record", [f"m{number}" for number in range(5)])
    running = worker(concurrency=1)
    eventually(lambda: good("queues", "celery")["held"] == 5, 15)
    assert site.depth() == 0 and site.unacked() == 0
    good("pause", "celery")
    client.send_many("lab.record", [f"m{number}" for number in range(5, 8)])
    answer = good("resume", "--task", "lab.record")
    assert answer["given_back"] == 5
    assert [one["headers"]["argsrepr"] for one in site.messages()] == [f"['m{n}']" for n in range(8)]
    good("resume", "celery")
    journal.wait_for([f"m{number}" for number in range(8)])
    assert journal.runs("m") == [f"m{number}" for number in range(8)] and running.running


def test_resuming_a_task_name_leaves_what_a_draining_queue_put_aside(good, client, site, worker, journal):
    good("drain", "celery")
    good("pause", "--task", "lab.add")
    client.send("lab.record", "drained")
    worker()
    assert good("resume", "--task", "lab.add")["given_back"] == 0
    stays(lambda: journal.runs() == [] and site.depth() == 0, 1)
    assert good("resume", "celery")["given_back"] == 1
    journal.wait_for(["drained"])


def test_one_unacknowledged_message_is_restored_on_demand(good, run, client, site, workers, apps, journal):
    go = journal.path.parent / "go"
    options = apps(acks_late=True, prefetch=2)
    first = workers(Environment.newest, options, concurrency=1)
    client.send("lab.hold", "long", str(go))
    journal.wait_for(["begin long"])
    client.send("lab.record", "behind")
    eventually(lambda: site.unacked() == 2)
    behind = next(one for one in good("unacked")["items"] if one["args"] == ["behind"])
    refused = run("restore", behind["tag"], "--yes")
    assert refused.status == REFUSED and "force" in refused.err
    good("restore", behind["tag"], "--yes", "--force", "--reason", "it waits behind a long one")
    assert site.depth() == 1 and site.unacked() == 1
    second = workers(Environment.newest, options, concurrency=1)
    journal.wait_for(["behind"])
    go.touch()
    journal.wait_for(["long"])
    eventually(lambda: site.depth() == 0 and site.unacked() == 0)
    assert first.running and second.running
    assert len(journal.runs("behind")) == 2, "its first worker had it in memory: that is what --force means"
    restored = next(one for one in good("audit")["items"] if one["action"] == "restore")
    assert restored["reason"] == "it waits behind a long one"
