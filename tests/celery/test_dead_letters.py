"""Delivered too often, or readable by nobody: a dead letter. An operator gives it another chance."""

import pytest

from lab.app import AppOptions
from lab.commands import Commands
from lab.environments import Environment
from support import eventually, stays

GOOD, FAILED, BAD_USAGE, NOT_FOUND, REFUSED = range(5)
MOST = 2  # redeliveries


@pytest.fixture
def dead_site(sites):
    return sites(
        "--broker-redeliveries-max",
        MOST,
        "--broker-dead-undecodable",
        "--broker-orphans",
        "restore",
        "--broker-orphan-after",
        "1s",
    )


@pytest.fixture
def options(dead_site):
    return AppOptions(broker=dead_site.broker, backend=dead_site.backend, acks_late=True, prefetch=1)


@pytest.fixture
def run(dead_site):
    return Commands(dead_site.http_url)


def dead(site, queue="celery"):
    return site.api("/dead", queue=queue)["items"]


def test_a_task_that_kills_its_process_again_and_again(
    environment, clients, workers, options, dead_site, run, journal, capsys
):
    """reject_on_worker_lost brings it back each time: without a limit it would kill for ever."""
    client = clients(environment, options)
    workers(environment, options, concurrency=1)
    sent = client.send("lab.kills", "boom")
    (letter,) = eventually(lambda: dead(dead_site), 40, 0.1)
    assert letter["id"] == sent and letter["task"] == "lab.kills" and letter["redelivered"]
    assert len(journal.runs("boom")) == 1 + MOST
    assert letter["redeliveries"] == MOST
    client.send("lab.record", "alive")
    journal.wait_for(["alive"])
    stays(lambda: len(journal.runs("boom")) == 1 + MOST, 1)
    assert dead_site.depth() == 0 and dead_site.api("/queues/celery")["dead"] == 1

    table = run("dead", "celery")
    assert table.status == GOOD and "lab.kills" in table.out and letter["tag"] in table.out
    assert run("dead", "celery", "--requeue").status == BAD_USAGE, "nobody can be asked"
    assert run("dead", "celery", letter["tag"], "--requeue", "--yes").status == GOOD
    eventually(lambda: len(journal.runs("boom")) == 2 * (1 + MOST), 40, 0.1)
    eventually(lambda: len(dead(dead_site)) == 1, 15)
    with capsys.disabled():
        print(
            f"\n  {environment.value}: {len(journal.runs('boom'))} runs in two lives of 1 + {MOST} deliveries"
        )


def known(clients, workers, environment, options, journal):
    """(client, worker) of an application that the sidecar has seen noting deliveries."""
    client = clients(environment, options)
    worker = workers(environment, options)
    client.send("lab.record", "known")
    journal.wait_for(["known"])
    return client, worker


@pytest.mark.parametrize("environment", [Environment.newest], ids=["newest"], indirect=True)
def test_a_task_whose_worker_dies_each_time(
    environment, clients, workers, options, dead_site, journal, tmp_path
):
    """The whole worker, as the kernel does when memory is short: orphans are restored, but not for ever."""
    client = clients(environment, options)
    sent = client.send("lab.hold", "heavy", str(tmp_path / "never"))
    for deaths in range(1 + MOST):
        worker = workers(environment, options, concurrency=1)
        eventually(lambda so_far=deaths: len(journal.runs("begin heavy")) == so_far + 1, 30)
        worker.kill_group()
        eventually(lambda: dead_site.depth() == 1, 15)
    workers(environment, options, concurrency=1)
    (letter,) = eventually(lambda: dead(dead_site), 20, 0.1)
    assert letter["id"] == sent
    assert len(journal.runs("begin heavy")) == 1 + MOST


@pytest.mark.parametrize("environment", [Environment.newest], ids=["newest"], indirect=True)
def test_dead_letters_are_deleted_undone_and_sent_elsewhere(
    environment, clients, workers, options, dead_site, run, journal
):
    client, worker = known(clients, workers, environment, options, journal)
    for label in ("a", "b"):
        client.send("lab.kills", label)
    eventually(lambda: len(dead(dead_site)) == 2, 60, 0.1)
    worker.close()
    tag = dead(dead_site)[0]["tag"]
    done = run("dead", "celery", tag, "--delete", "--yes", "--json")
    assert done.status == GOOD and len(dead(dead_site)) == 1
    assert run("dead", "celery", tag, "--delete", "--yes", "--json").json["gone"] == [tag]
    assert run("undo", done.json["undo"]).status == GOOD
    assert sorted(one["tag"] for one in dead(dead_site))[0] and len(dead(dead_site)) == 2
    assert run("dead", "celery", "--requeue", "--task", "lab.none", "--yes").status == GOOD
    assert len(dead(dead_site)) == 2
    assert run("dead", "celery", "--requeue", "--to", "infirmary", "--expect", 1).status == REFUSED
    assert run("dead", "celery", "--requeue", "--to", "infirmary", "--expect", 2).status == GOOD
    assert dead(dead_site) == [] and dead_site.depth("infirmary") == 2
    actions = {entry["action"] for entry in dead_site.api("/audit")["items"]}
    assert {"requeue dead", "delete"} <= actions


@pytest.mark.parametrize("environment", [Environment.newest], ids=["newest"], indirect=True)
def test_what_no_worker_can_read_does_not_reach_one(
    environment, clients, workers, options, dead_site, run, journal
):
    client, worker = known(clients, workers, environment, options, journal)
    garbage = [b"not json", b'{"job": 1}', b"\xff\xfe\x00", b"[" * 5000, b'{"body": "x", "properties": {}}']
    for element in garbage:
        dead_site.upstream("LPUSH", "celery", element)
    client.send("lab.record", "behind it")
    journal.wait_for(["behind it"])
    letters = eventually(lambda: len(dead(dead_site)) == len(garbage) and dead(dead_site), 10)
    assert all(letter["kind"] == "foreign" and letter["undecoded"] for letter in letters), letters
    assert "Traceback" not in worker.log() and worker.running
    table = run("dead")
    assert table.status == GOOD and len(table.rows()) == len(garbage)
    undo = run("dead", "celery", "--delete", "--expect", len(garbage), "--json").json["undos"]
    assert dead(dead_site) == [] and len(undo) == len(garbage)
    assert run("undo", undo[0]).status == GOOD and len(dead(dead_site)) == 1
