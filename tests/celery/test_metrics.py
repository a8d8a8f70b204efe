"""celery-exporter's names, with the figures of what really ran."""

import socket

from lab.metrics import Metrics
from support import eventually

# What the Grafana dashboards 17508 (tasks, overview) and 17509 (tasks, by task) query.
DASHBOARD_NAMES = {
    "celery_worker_up",
    "celery_worker_tasks_active",
    "celery_queue_length",
    "celery_task_sent_total",
    "celery_task_received_total",
    "celery_task_started_total",
    "celery_task_succeeded_total",
    "celery_task_failed_total",
    "celery_task_retried_total",
    "celery_task_rejected_total",
    "celery_task_revoked_total",
    "celery_task_runtime_bucket",
    "celery_task_runtime_sum",
    "celery_task_runtime_count",
    "celery_task_queue_wait_time_bucket",
    "celery_active_worker_count",
    "celery_active_consumer_count",
}


def test_dashboards_find_what_they_ask_for(environment, clients, workers, apps, sites, journal):
    site = sites()
    options = apps(broker=site.broker, backend=site.backend, events=True)
    worker = workers(environment, options)
    client = clients(environment, options)
    client.send_many("lab.record", [f"run {number}" for number in range(10)])
    client.send("lab.fails", "broken")
    client.send("lab.flaky", "flaky", 1)
    journal.wait_for([f"run {number}" for number in range(10)] + ["broken"])
    eventually(lambda: journal.counts()["flaky"] == 2, 20)

    def metrics():
        return Metrics.of(site.sidecar)

    eventually(lambda: metrics().total("celery_task_succeeded_total", name="lab.record") == 10, 15)
    eventually(lambda: metrics().total("celery_task_failed_total", name="lab.fails") == 1, 15)
    eventually(lambda: metrics().total("celery_task_retried_total", name="lab.flaky") == 1, 15)
    eventually(lambda: metrics().total("celery_task_succeeded_total", name="lab.flaky") == 1, 15)
    seen = metrics()
    assert set(seen.series) >= DASHBOARD_NAMES, DASHBOARD_NAMES - set(seen.series)
    assert seen.total("celery_task_sent_total", name="lab.record") == 10
    assert seen.total("celery_task_sent_total", name="lab.flaky") == 2
    assert seen.total("celery_task_received_total", name="lab.record", queue_name="celery") == 10
    assert seen.total("celery_task_failed_total", name="lab.fails", exception="KeyError") == 1
    assert seen.total("celery_task_runtime_count", name="lab.record") == 10
    assert seen.total("celery_task_queue_wait_time_count", name="lab.record") == 10
    host = worker.node.partition("@")[2]
    assert seen.total("celery_worker_up", hostname=host) == 1
    assert socket.gethostname() in seen.label_values("celery_task_sent_total", "hostname")
    assert seen.total("celery_active_worker_count", queue_name="celery") == 1
    worker.kill_group()
    eventually(lambda: metrics().total("celery_worker_up", hostname=host) == 0, 10)


def test_the_queue_length_is_that_of_all_priorities(environment, clients, apps, site):
    client = clients(environment, apps())
    for priority in range(10):
        client.send("lab.record", "x", priority=priority)
    assert site.depth() == 10
    eventually(lambda: Metrics.of(site.sidecar).total("celery_queue_length", queue_name="celery") == 10, 10)
