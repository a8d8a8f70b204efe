"""Revoked at delivery: by id, task name and stamp. Whoever waits for the result hears of it."""

import json

import pytest

from lab.client import ClientError
from lab.commands import Commands
from lab.environments import Environment
from support import eventually, stays


@pytest.fixture
def good(site):
    run = Commands(site.http_url)

    def checked(*arguments):
        done = run(*arguments, "--json")
        assert done.status == 0, done
        return done.json

    return checked


@pytest.fixture
def options(apps, site):
    """Results on the broker's own db, through the sidecar."""
    return apps(backend=site.broker)


def revoked(client, id, timeout=20):
    with pytest.raises(ClientError) as raised:
        client.result(id, timeout=timeout)
    return str(raised.value) == "TaskRevokedError: revoked"


def test_by_id_the_result_says_revoked(environment, good, clients, workers, options, site, journal, tmp_path):
    client = clients(environment, options)
    sent = client.send("lab.record", "revoked")
    good("revoke", sent)
    client.send("lab.record", "next")
    workers(environment, options)
    journal.wait_for(["next"])
    assert revoked(client, sent)
    assert client.call("state", id=sent) == "REVOKED"
    task = eventually(lambda: (seen := good("task", sent))["state"] == "revoked" and seen, 5)
    assert task["result"]["status"] == "REVOKED" and task["revoked"]
    assert journal.runs("revoked") == [] and site.depth() == 0 and site.unacked() == 0
    assert site.upstream("TTL", f"celery-task-meta-{sent}") > 80_000


def begin_to_wait(client, sent, site):
    """Returns when the client listens for the result; the answer is its next line."""
    client.process.stdin.write(b'{"do": "result", "id": "%s", "timeout": 30}\n' % sent.encode())
    client.process.stdin.flush()
    eventually(lambda: site.upstream("PUBSUB", "NUMSUB", f"celery-task-meta-{sent}")[1] >= 1, 20)


@pytest.mark.parametrize("serializer", ["json", "pickle", "yaml", "msgpack"])
def test_whoever_waits_already_is_told_at_once(good, clients, workers, apps, site, serializer):
    """get() waits for the channel, not for the key."""
    options = apps(backend=site.broker, serializer=serializer)
    waiting, other = (clients(Environment.newest, options) for _ in range(2))
    good("pause", "celery")
    sent = other.send("lab.record", "revoked")
    workers(Environment.newest, options)
    good("revoke", sent)
    go_on = clients(Environment.newest, options)
    begin_to_wait(waiting, sent, site)
    good("resume", "celery")
    assert b"TaskRevokedError" in waiting.process.stdout.readline()
    assert revoked(go_on, sent)


def test_a_result_on_another_redis_db_is_told_to_who_waits(good, clients, workers, apps, site):
    """The sidecar cannot know where an application keeps results; the channel is the same everywhere."""
    client = clients(Environment.newest, apps())
    good("pause", "celery")
    sent = client.send("lab.record", "revoked")
    workers(Environment.newest, apps())
    good("revoke", sent)
    begin_to_wait(client, sent, site)
    good("resume", "celery")
    assert b"TaskRevokedError" in client.process.stdout.readline()


def test_by_task_name_until_it_is_allowed_again(good, clients, workers, options, site, journal):
    client = clients(Environment.newest, options)
    good("revoke", "--task", "lab.record", "--yes", "--reason", "floods us")
    ids = client.send_many("lab.record", ["a", "b", "c"])
    added = client.send("lab.add", 1, 2)
    workers(Environment.newest, options)
    assert client.result(added) == 3
    eventually(lambda: site.depth() == 0 and site.unacked() == 0)
    assert all(revoked(client, id) for id in ids)
    assert good("revoke", "--list")["items"][0]["reason"] == "floods us"
    trash = good("undo")["items"]
    assert sorted(one["message"]["id"] for one in trash) == sorted(ids), "it can be had back"
    good("revoke", "--task", "lab.record", "--remove")
    again = client.send("lab.record", "again")
    assert client.result(again) == "again"
    good("undo", trash[0]["id"])
    id = trash[0]["message"]["id"]
    eventually(lambda: b"SUCCESS" in site.upstream("GET", f"celery-task-meta-{id}"), 15)
    another = clients(Environment.newest, options)
    assert another.result(id) in ("a", "b", "c"), "what ran after all has its result"


@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_a_part_of_a_chord_is_refused_by_a_worker_and_the_chord_ends(
    environment, good, clients, workers, apps, site, journal, serializer
):
    options = apps(backend=site.broker, serializer=serializer)
    client = clients(environment, options)
    good("pause", "celery")
    parts = [{"task": "lab.record", "args": [label]} for label in ("gone", "kept", "kept too")]
    sent = client.start({"chord": parts, "body": {"task": "lab.record"}})
    members = eventually(lambda: (all := site.messages()) and len(all) == 3 and all, 5)
    (gone,) = [one["headers"]["id"] for one in members if "gone" in one["headers"]["argsrepr"]]
    good("revoke", gone)
    workers(environment, options)
    good("resume", "celery")
    journal.wait_for(["kept", "kept too"])
    with pytest.raises(ClientError, match="ChordError"):
        client.result(sent["id"], timeout=20)
    assert client.call("state", id=gone) == "REVOKED"
    assert journal.runs("gone") == [] and site.depth() == 0
    eventually(lambda: site.unacked() == 0)


def test_by_stamp(good, clients, workers, options, site, journal):
    """Stamped headers, as Celery's own revoke_by_stamped_headers means them."""
    client = clients(Environment.newest, options)
    good("revoke", "--stamp", "customer=42", "--yes")
    stamped = {"stamped_headers": ["customer"], "stamps": {"customer": "42"}}
    other = {"stamped_headers": ["customer"], "stamps": {"customer": "43"}}
    gone = client.send("lab.record", "gone", headers={"customer": "42", **stamped})
    kept = client.send("lab.record", "kept", headers={"customer": "43", **other})
    workers(Environment.newest, options)
    assert client.result(kept) == "kept"
    assert revoked(client, gone)
    assert journal.runs("gone") == []


def test_what_keeps_no_result_gets_none_and_a_success_stays(good, clients, workers, options, site, journal):
    client = clients(Environment.newest, options)
    silent = client.send("lab.record", "silent", ignore_result=True)
    done = client.send("lab.record", "done")
    good("pause", "celery")
    result = {"status": "SUCCESS", "result": "done", "task_id": done}
    site.upstream("SET", f"celery-task-meta-{done}", json.dumps(result))
    good("revoke", silent)
    good("revoke", done)
    workers(Environment.newest, options)
    good("resume", "celery")
    eventually(lambda: site.depth() == 0 and len(good("undo")["items"]) == 2, 15)
    stays(lambda: site.upstream("EXISTS", f"celery-task-meta-{silent}") == 0, 0.5)
    assert client.result(done) == "done" and journal.runs() == []


def test_a_revocation_outlives_the_sidecar(clients, workers, apps, sites, journal):
    site = sites()
    options = apps(broker=site.broker, backend=site.broker)
    client = clients(Environment.newest, options)
    sent = client.send("lab.record", "revoked")
    assert Commands(site.http_url)("revoke", sent).status == 0
    host, port = site.sidecar.address
    site.sidecar.flags[site.sidecar.flags.index("--listen") + 1] = f"{host}:{port}"
    site.sidecar.stop()
    site.sidecar.start()
    client.send("lab.record", "next")
    workers(Environment.newest, options)
    journal.wait_for(["next"])
    assert journal.runs("revoked") == [] and revoked(client, sent)
