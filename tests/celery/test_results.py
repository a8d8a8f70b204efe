"""Results that a Redis backend keeps on the broker's db, under whatever prefix."""

import contextlib

import pytest

from lab.environments import Environment
from lab.site import ApiError
from support import eventually


@pytest.mark.parametrize("prefix", ["", "x_", "shop:", "plain"])
def test_a_result_is_found_under_its_prefix(environment, clients, workers, apps, site, prefix):
    options = apps(backend=site.broker, result_prefix=prefix)
    workers(environment, options)
    client = clients(environment, options)
    sent = client.send("lab.add", 1, 2)
    assert client.result(sent) == 3
    (key,) = site.keys("*celery-task-meta-*")
    if environment is Environment.newest:  # 5.2 does not know the option
        assert key.startswith(prefix)

    def task():
        with contextlib.suppress(ApiError):
            return site.api(f"/tasks/{sent}")
        return None

    eventually(task, 5, 0.05, message="what passed by is read a moment later")
    assert task()["result"]["status"] == "SUCCESS" and task()["result"]["result"] == 3
    assert task()["where"] == "done"


def test_a_result_nobody_was_seen_to_tell_is_found_under_the_brokers_prefix_only(site):
    for key in ("store:celery-task-meta-one", "other:celery-task-meta-two"):
        site.upstream("SET", key, '{"status": "SUCCESS", "result": 1}')
    site.upstream("SADD", "store:_kombu.binding.celery", "celery\x06\x16\x06\x16celery")
    eventually(lambda: "store:" in [one["prefix"] for one in site.api("/brokers")["items"]], 15, 0.2)
    assert site.api("/tasks/one", broker="store:")["result"]["status"] == "SUCCESS"
    for task, broker in (("two", "store:"), ("one", "")):
        with pytest.raises(ApiError) as refusal:
            site.api(f"/tasks/{task}", broker=broker)
        assert refusal.value.status == 404
