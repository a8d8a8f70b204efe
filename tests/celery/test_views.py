"""top, workers, unacked, findings and events beside a real worker: tables, JSON, exit statuses, --watch."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

from lab.commands import Commands
from lab.environments import Environment
from support import eventually, slack
from support.sidecar import binary

GOOD, FAILED, BAD_USAGE, NOT_FOUND, REFUSED = range(5)


@pytest.fixture
def run(site):
    return Commands(site.http_url)


@pytest.fixture
def busy(clients, workers, apps, site, journal, tmp_path):
    """(client, worker): one task runs, two are taken along, one waits for its time."""
    options = apps(acks_late=True, prefetch=4, events=True)
    client = clients(Environment.newest, options)
    worker = workers(Environment.newest, options, concurrency=1)
    client.send("lab.record", "later", eta_in=3600)
    client.send("lab.hold", "long", str(tmp_path / "go"))
    journal.wait_for(["begin long"])
    for label in ("a", "b"):
        client.send("lab.record", label)
    eventually(lambda: site.unacked() == 4)
    yield client, worker
    (tmp_path / "go").touch()


def local_ports(pid):
    """Of the process's own sockets, as the kernel lists them."""
    inodes = {os.readlink(fd)[8:-1] for fd in map(str, pathlib.Path(f"/proc/{pid}/fd").iterdir())}
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows if row[9] in inodes}


def ids_by_port(site):
    """The sidecar's clients by the port they come from."""
    client = site.sidecar.client(db=2)
    try:
        lines = client.command("CLIENT", "LIST").decode().splitlines()
    finally:
        client.close()
    fields = [dict(word.split("=", 1) for word in line.split()) for line in lines]
    return {int(one["addr"].rpartition(":")[2]): int(one["id"]) for one in fields}


def test_workers_as_table_and_json_and_one_of_them(run, busy):
    _, worker = busy

    def listed():
        return [
            (one["state"], one["unacked"], one["queues"])
            for one in run("workers", "--json").json["items"]
            if one["node"] == worker.node
        ]

    # What the wire tells of a delivery is read a moment after it passed.
    eventually(lambda: listed() == [("online", 4, ["celery"])], 15, 0.2)
    table = run("workers")
    assert table.status == GOOD and table.out.startswith("NODE")
    assert any(row[0] == worker.node and row[1] == "online" for row in table.rows()), table.out
    one = run("workers", worker.node)
    assert one.status == GOOD and "Pid" in one.out and "online" in one.out
    assert run("workers", worker.node, "--json").json["node"] == worker.node
    assert run("workers", "nobody@nowhere").status == NOT_FOUND
    assert run("workers", worker.node, "ping", "--json").json["replies"][worker.node] == {"ok": "pong"}
    assert run("workers", worker.node, "shutdown").status == BAD_USAGE, "it asks first"


def test_kick_closes_the_sockets_of_this_worker_and_no_others(run, busy, workers, apps, site, journal):
    """What the kernel knows of both processes' sockets decides whose they were."""
    client, worker = busy
    other = workers(Environment.newest, apps(events=True), queues="other")
    client.send("lab.record", "elsewhere", queue="other")
    journal.wait_for(["elsewhere"])

    def listed(node):
        found = [one for one in run("workers", "--json").json["items"] if one["node"] == node]
        return set(found[0]["clients"]) if found else set()

    eventually(lambda: len(listed(worker.node)) > 2 and len(listed(other.node)) > 2, 20, 0.3)
    ids = ids_by_port(site)
    mine = {ids[port] for port in local_ports(worker.pid) if port in ids}
    theirs = {ids[port] for port in local_ports(other.pid) if port in ids}
    assert listed(worker.node) <= mine and listed(other.node) <= theirs
    kicked = listed(worker.node)
    answer = run("workers", worker.node, "kick", "--yes", "--json").json
    assert answer["changed"] == answer["sockets"] >= len(kicked), "all at once: none closes by itself before"
    eventually(lambda: not kicked & set(ids_by_port(site).values()), 10)
    assert theirs <= set(ids_by_port(site).values()), "another worker's sockets were closed"
    client.send("lab.record", "after it")
    eventually(lambda: listed(worker.node) - kicked, 40, 0.3)


def test_unacked_by_state(run, busy, site):
    def states():
        return sorted(one["state"] for one in run("unacked", "--json").json["items"])

    eventually(lambda: states() == ["eta", "prefetched", "prefetched", "running"], 15, 0.2)
    only = run("unacked", "--state", "running", "--json").json["items"]
    assert [one["task"] for one in only] == ["lab.hold"]
    table = run("unacked", "--state", "eta")
    assert table.status == GOOD and len(table.rows()) == 1 and table.rows()[0][0] == "eta"
    first = run("unacked", "--limit", 3, "--json").json
    rest = run("unacked", "--limit", 3, "--cursor", first["next"], "--json").json
    assert len({one["tag"] for one in first["items"] + rest["items"]}) == 4


def test_findings_as_table_json_and_exit_status(run, busy, site):
    site.upstream("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", "1gb")
    try:
        found = run("findings", "--json").json["items"]
        worst = next(one for one in found if one["id"] == "eviction-policy")
        assert worst["severity"] == "critical" and worst["remedy"] and worst["evidence"]
        shown = run("findings")
        assert shown.status == GOOD and worst["title"] in shown.out and worst["remedy"][:30] in shown.out
        assert run("findings", "--check").status == FAILED
    finally:
        site.upstream("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "0")
    eventually(lambda: run("findings", "--check").status == GOOD, 5, 0.2)


def test_events_as_lines_for_people(run, busy):
    client, _ = busy
    with run.on_terminal("events", "--type", "task-sent", "--limit", "2") as terminal:
        for number in range(50):  # the stream begins when it is open
            client.send("lab.record", f"e{number}")
            if "task-sent" in terminal.text():
                break
            terminal.wait(0.2)
        terminal.expect("task-sent")
        client.send("lab.record", "another")
        assert terminal.finish(30) == GOOD
    assert terminal.text().count("task-sent") == 2 and "lab.record" in terminal.text()


@pytest.mark.parametrize("command", ["queues", "workers", "unacked", "findings"])
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_watch_writes_a_line_of_json_each_time_and_ends_at_a_signal(run, busy, command, ending):
    with subprocess.Popen(
        [str(binary()), command, "--json", "--watch=1"],
        env=run.environment,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    ) as process:
        try:
            lines = [json.loads(process.stdout.readline()) for _ in range(2)]
            assert all("items" in line for line in lines)
            process.send_signal(ending)
            assert process.wait(slack(5)) in (-ending, 128 + ending)
        finally:
            process.kill()


def test_watch_goes_on_while_the_sidecar_is_away(run, busy, site):
    with run.on_terminal("queues", "--watch=1", "--timeout", "1s") as terminal:
        terminal.expect("celery")
        site.sidecar.freeze()
        try:
            terminal.output = ""
            terminal.expect("no answer in time", 15)
        finally:
            site.sidecar.thaw()
        terminal.output = ""
        terminal.expect("READY", 15)


def test_top_shows_queues_and_leaves_the_terminal_as_it_was(run, busy):
    client, worker = busy
    client.send_many("lab.record", ["x", "y", "z"], queue="mail")
    eventually(lambda: "mail" in run("queues").out, 15, 0.2)
    with run.on_terminal("top", "--watch=1", columns=160) as terminal:
        for text in ("mail", "3 ready", "4 unacked", worker.node, "workers online"):
            terminal.expect(text)
        client.send("lab.record", "more", queue="mail")
        terminal.expect("4 ready")
        terminal.type("s")
        terminal.expect("order: unacked")
        terminal.type("q")
        assert terminal.finish() == GOOD
        assert terminal.output.endswith("\x1b[?25h\x1b[?1049l")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_top_gives_the_terminal_back_at_a_signal(run, busy, ending):
    with run.on_terminal("top") as terminal:
        terminal.expect("q ends")
        terminal.signal(ending)
        assert terminal.finish() == GOOD
        assert terminal.output.endswith("\x1b[?25h\x1b[?1049l")
