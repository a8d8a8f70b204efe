"""A paused queue gives nothing to anybody, whatever its workers do; resumed, it gives everything.

With --full the pause lasts a minute, and a worker is started again all along.
"""

import time

import pytest

from lab.commands import Commands
from lab.environments import Environment
from support import eventually


@pytest.fixture
def pause_seconds(request):
    return 60 if request.config.getoption("--full") else 6


@pytest.fixture
def command(site):
    run = Commands(site.http_url)

    def checked(*arguments):
        done = run(*arguments)
        assert done.status == 0, done
        return done

    return checked


def nothing_runs(journal, site, before, waiting, until):
    """Asserts it again and again: what ran stays what it was, and nothing leaves the queue."""
    while time.monotonic() < until:
        assert len(journal.runs()) == before, journal.runs()[before:]
        assert site.depth() == waiting and site.unacked() == 0
        time.sleep(0.1)


@pytest.mark.timeout(300)
def test_nothing_is_delivered_while_paused_and_everything_afterwards(
    environment, clients, workers, apps, site, journal, command, pause_seconds
):
    client = clients(environment, apps())
    worker = workers(environment, apps())
    client.send("lab.record", "before")
    journal.wait_for(["before"])
    eventually(lambda: site.unacked() == 0)
    command("pause", "celery")
    labels = [f"paused {number}" for number in range(100)]
    client.send_many("lab.record", labels)
    until = time.monotonic() + pause_seconds
    nothing_runs(journal, site, 1, 100, min(until, time.monotonic() + 2))
    while True:  # at least once, also when the pause is short
        worker.kill_group()
        worker.start().wait_ready()
        nothing_runs(journal, site, 1, 100, min(until, time.monotonic() + 3))
        if time.monotonic() >= until:
            break
    nothing_runs(journal, site, 1, 100, time.monotonic() + 1)
    command("resume", "celery")
    journal.wait_for(labels)
    eventually(lambda: site.depth() == 0 and site.unacked() == 0)
    assert sorted(journal.runs("paused")) == sorted(labels), "each ran once"


def test_a_waiting_worker_notices_a_pause_at_once(clients, workers, apps, site, journal, command):
    """Its BRPOP is under way when the queue is paused; what is published then stays."""
    client = clients(Environment.newest, apps())
    workers(Environment.newest, apps())
    for number in range(5):
        command("pause", "celery")
        client.send("lab.record", f"early {number}")
        nothing_runs(journal, site, number, 1, time.monotonic() + 0.5)
        command("resume", "celery")
        journal.wait_for([f"early {number}"], 5)
        eventually(lambda: site.unacked() == 0)


def test_other_queues_go_on(clients, workers, apps, site, journal, command):
    client = clients(Environment.newest, apps())
    workers(Environment.newest, apps(), queues="celery,mail")
    client.send("lab.record", "known", queue="mail")
    journal.wait_for(["known"])
    command("pause", "mail")
    client.send("lab.record", "stays", queue="mail")
    client.send_many("lab.record", [f"runs {number}" for number in range(10)])
    journal.wait_for(f"runs {number}" for number in range(10))
    assert journal.runs("stays") == [] and site.depth("mail") == 1
    command("resume", "mail")
    journal.wait_for(["stays"])


def test_a_pause_outlives_the_sidecar(clients, workers, apps, sites, journal):
    site = sites()
    run = Commands(site.http_url)
    options = apps(broker=site.broker)
    client = clients(Environment.newest, options)
    client.send("lab.record", "stays")
    eventually(lambda: run("pause", "celery").status == 0, 15, 0.2)
    host, port = site.sidecar.address
    site.sidecar.flags[site.sidecar.flags.index("--listen") + 1] = f"{host}:{port}"
    site.sidecar.stop()
    site.sidecar.start()
    workers(Environment.newest, options)
    nothing_runs(journal, site, 0, 1, time.monotonic() + 2)
    assert Commands(site.http_url)("resume", "celery").status == 0
    journal.wait_for(["stays"])
