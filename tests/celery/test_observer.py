"""What the sidecar tells of queues and messages from passing traffic, beside Redis's own state."""

import time

from lab.metrics import Metrics
from support import eventually


def total(site, name, /, **labels):
    return Metrics.of(site.sidecar).total(name, **labels)


def test_depths_and_totals_are_those_of_redis(environment, clients, workers, apps, site, journal):
    client = clients(environment, apps())
    client.send_many("lab.record", [f"a{number}" for number in range(30)])
    client.send_many("lab.record", [f"b{number}" for number in range(7)], priority=6)
    assert site.depth() == 37
    eventually(lambda: total(site, "sidecar_broker_queue_ready", queue="celery") == 37, 10)
    assert total(site, "sidecar_broker_queue_ready", queue="celery", priority="6") == 7
    assert total(site, "sidecar_broker_published_total", queue="celery") >= 37

    before = total(site, "sidecar_broker_acknowledged_total", queue="celery")
    worker = workers(environment, apps())
    journal.wait_for(f"{kind}{number}" for kind, count in (("a", 30), ("b", 7)) for number in range(count))
    eventually(lambda: site.unacked() == 0 and site.depth() == 0, 10)
    eventually(lambda: total(site, "sidecar_broker_queue_ready", queue="celery") == 0, 10)
    eventually(lambda: total(site, "sidecar_broker_acknowledged_total", queue="celery") - before == 37, 10)
    assert total(site, "sidecar_broker_queue_consumer_processes", queue="celery") == 1
    assert total(site, "sidecar_broker_wait_seconds_count", queue="celery", task="lab.record") >= 37
    worker.kill_group()


def test_the_oldest_age_is_true_and_survives_a_restart(environment, clients, apps, sites):
    site = sites()
    started = time.time()
    clients(environment, apps(broker=site.broker, backend=site.backend)).send("lab.record", "old")
    sent = time.time()

    def age():
        return total(site, "sidecar_broker_queue_oldest_seconds", queue="celery")

    def fits():
        value, now = age(), time.time()
        # The figure is as of the last second, at most two old.
        return value is not None and value > 1 and now - sent - 2.5 <= value <= now - started + 0.5

    eventually(fits, 15)
    eventually(lambda: any(site.upstream("KEYS", "__sidecar:br:seen:*")), 5)
    site.sidecar.stop()
    site.sidecar.start()
    eventually(fits, 20, message=f"{age()} after the restart")


def test_what_stood_there_before_has_no_age(environment, clients, apps, sites):
    site = sites()
    direct = apps(broker=site.direct_broker, backend=site.backend)
    clients(environment, direct).send("lab.record", "unseen")
    clients(environment, apps(broker=site.broker, backend=site.backend)).send("lab.record", "seen")
    eventually(lambda: total(site, "sidecar_broker_queue_ready", queue="celery") == 2, 10)
    assert total(site, "sidecar_broker_queue_oldest_seconds", queue="celery") is None


def test_prefix_separator_and_steps_are_learnt(environment, clients, workers, apps, site, journal):
    options = apps(prefix="shop:", sep=":", priority_steps=[0, 2, 5])
    workers(environment, options)
    eventually(lambda: total(site, "sidecar_broker_queue_consumers", prefix="shop:", queue="celery") == 1, 10)
    client = clients(environment, options)
    client.send("lab.record", "learnt", priority=5)
    journal.wait_for(["learnt"])
    eventually(lambda: total(site, "sidecar_broker_published_total", prefix="shop:", queue="celery") == 1, 10)
    labels = Metrics.of(site.sidecar).label_values("sidecar_broker_queue_ready", "queue")
    assert "celery:5" not in labels, labels


def test_a_killed_worker_leaves_orphans_within_seconds(environment, clients, workers, apps, sites, tmp_path):
    site = sites("--broker-orphan-after", "1s")
    options = apps(broker=site.broker, backend=site.backend, acks_late=True)
    worker = workers(environment, options)
    clients(environment, options).send("lab.hold", "held", str(tmp_path / "never"))
    eventually(lambda: site.unacked() == 1, 20)
    eventually(lambda: total(site, "sidecar_broker_unacked", state="all") == 1, 10)
    assert total(site, "sidecar_broker_unacked", state="orphan") == 0
    worker.kill_group()
    killed = time.monotonic()
    eventually(lambda: total(site, "sidecar_broker_unacked", state="orphan") == 1, 15)
    assert time.monotonic() - killed < 10
    assert site.unacked() == 1
    assert total(site, "sidecar_broker_worker_up", worker=worker.node) == 0
