"""The commands of the broker against a real sidecar: tables, JSON, exit statuses."""

import pytest

from lab.commands import Commands
from lab.environments import Environment
from lab.kombu_peer import message
from support import eventually

GOOD, FAILED, BAD_USAGE, NOT_FOUND, REFUSED = range(5)


@pytest.fixture
def run(site):
    return Commands(site.http_url)


@pytest.fixture
def client(clients, apps):
    return clients(Environment.newest, apps())


def test_queues_show_what_waits(run, client, site):
    client.send_many("lab.record", ["a", "b"])
    client.send("lab.record", "c", priority=9)
    eventually(lambda: [row[0] for row in run("queues").rows()] == ["celery"], 15, 0.2)
    queue = run("queues", "--json").json["items"][0]
    assert queue["name"] == "celery" and queue["ready"] == site.depth() == 3


def test_peek_shows_messages_next_to_run_first_and_pages(run, client, site):
    client.send_many("lab.record", [f"m{number}" for number in range(7)])
    tags = [message["properties"]["delivery_tag"] for message in site.messages()]
    first = run("peek", "celery", "--limit", 4, "--json").json
    assert [message["tag"] for message in first["items"]] == tags[:4]
    second = run("peek", "celery", "--limit", 4, "--cursor", first["next"], "--json").json
    assert [message["tag"] for message in second["items"]] == tags[4:]
    newest = run("peek", "celery", "--newest", "--limit", 1, "--json").json
    assert newest["items"][0]["tag"] == tags[-1]
    assert len(site.messages()) == 7, "looking consumes nothing"


def test_what_does_not_exist_is_told_by_the_status(run):
    missing = run("peek", "no-such-queue")
    assert missing.status == NOT_FOUND and missing.out == "" and "queue" in missing.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("peek",),
        ("peek", "a", "--limit", "none"),
        ("peek", "a", "--limit", "0"),
        ("queues", "--unknown"),
        ("queues", "--url", "redis://127.0.0.1"),
        ("queues", "--watch=0"),
        ("move", "tag"),
        ("pause",),
        ("rate", "celery", "fast"),
        ("workers", "node", "dance"),
        ("top",),
        ("completion", "fish"),
    ],
    ids=" ".join,
)
def test_bad_usage_is_told_apart(run, arguments):
    refused = run(*arguments)
    assert refused.status == BAD_USAGE and refused.out == "" and refused.err.count("\n") == 1, refused


def test_a_sidecar_that_is_away_is_a_failure(run):
    away = run("queues", "--url", "http://127.0.0.1:1")
    assert away.status == FAILED and "127.0.0.1:1" in away.err


def test_a_token_is_needed_where_one_is_configured(sites):
    site = sites("--http-token", "looks")
    run = Commands(site.http_url)
    assert run("queues").status == REFUSED
    assert run("queues", "--token", "wrong").status == REFUSED
    assert run("queues", SIDECAR_HTTP_TOKEN="looks").status == GOOD


def test_watch_goes_on_until_it_is_interrupted(run, client):
    client.send("lab.record", "a")
    with run.on_terminal("queues", "--watch=1") as terminal:
        terminal.expect("celery")
        assert "READY" in terminal.text()
        client.send("lab.record", "b", queue="another")
        terminal.expect("another", 30)
        terminal.type("\x03")
        assert terminal.finish() != GOOD


def test_names_of_others_cannot_steer_the_terminal(run, client):
    client.send("lab.record", "a", queue="red\x1b[31mqueue")
    eventually(lambda: "queue" in run("queues").out.partition("\n")[2], 15, 0.2)
    with run.on_terminal("queues") as terminal:
        assert terminal.finish() == GOOD
    assert "\x1b[31m" not in terminal.output and r"\x1b[31m" in terminal.output


def test_many_are_deleted_by_one_command_piece_by_piece(run, client, site):
    """The server hands back again and again; the command goes on until none is left."""
    for _ in range(9):
        site.upstream("LPUSH", "celery", *(message(task="lab.many") for _ in range(1000)))
    client.send("lab.record", "stays")
    eventually(lambda: "celery" in run("queues").out, 15, 0.2)
    done = run("delete", "--queue", "celery", "--task", "lab.many", "--yes", "--json")
    assert done.status == GOOD, done
    assert done.json["changed"] == len(done.json["undos"]) == 9_000 and done.json["left"] == 0
    assert site.depth() == 1
    deletes = [one for one in site.api("/audit", limit=5)["items"] if one["action"] == "delete"]
    assert len(deletes) == 5
