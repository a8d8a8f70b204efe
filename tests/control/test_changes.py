"""What operators change, against what lies in Redis afterwards: nothing lost, nothing doubled."""

import json

import pytest
from control_site import envelope, tag_of


def waiting(site, key="celery"):
    return list(reversed([each.decode() for each in site.redis.lrange(key, 0, -1)]))


def hold(site, element, taken_at=1000.0, queue="celery"):
    """As a worker notes what it was given."""
    tag = tag_of(element)
    site.redis.zadd("unacked_index", {tag: taken_at})
    site.redis.hset("unacked", tag, json.dumps([json.loads(element), "", queue]))
    return tag


def test_one_message_is_deleted_and_had_back(site):
    elements = site.fill("celery", 5)
    answer = site.post(f"/api/v1/messages/{tag_of(elements[2])}/delete", {"reason": "poison"})
    assert waiting(site) == [*elements[:2], *elements[3:]]
    audit = site.get("/api/v1/audit")["items"][0]
    assert (audit["action"], audit["tag"], audit["reason"]) == ("delete", tag_of(elements[2]), "poison")
    assert site.get("/api/v1/trash")["items"][0]["id"] == answer["undo"]
    assert site.post(f"/api/v1/trash/{answer['undo']}/undo")["changed"] == 1
    assert waiting(site) == [elements[2], *elements[:2], *elements[3:]]
    site.post(f"/api/v1/trash/{answer['undo']}/undo", status=404)


def test_a_message_that_is_gone_is_not_found(site):
    site.fill("celery", 2)
    site.post("/api/v1/messages/00000000-0000-0000-0000-000000000000/delete", status=404)


def test_what_changed_since_it_was_shown_stays(site):
    elements = site.fill("celery", 3)
    site.get("/api/v1/queues/celery/messages")
    site.redis.lset("celery", -2, elements[1].replace('"retries": 0', '"retries": 1'))
    site.post(f"/api/v1/messages/{tag_of(elements[1])}/delete")
    assert waiting(site) == [elements[0], elements[2]]


def test_a_moved_message_is_bound_for_its_new_queue(site):
    elements = site.fill("celery", 3)
    site.post(f"/api/v1/messages/{tag_of(elements[1])}/move", {"to": "other", "priority": 4})
    assert waiting(site) == [elements[0], elements[2]]
    (moved,) = [json.loads(each) for each in waiting(site, "other\x06\x163")]
    before = json.loads(elements[1])
    assert moved["body"] == before["body"]
    assert moved["properties"]["delivery_tag"] == before["properties"]["delivery_tag"]
    assert moved["properties"]["delivery_info"] == {"exchange": "", "routing_key": "other"}
    assert moved["properties"]["priority"] == 4


def test_a_requeued_message_goes_to_an_end(site):
    elements = site.fill("celery", 3)
    site.post(f"/api/v1/messages/{tag_of(elements[2])}/requeue", {"end": "head"})
    assert [tag_of(each) for each in waiting(site)] == [tag_of(elements[i]) for i in (2, 0, 1)]
    site.post(f"/api/v1/messages/{tag_of(elements[2])}/requeue")
    assert [tag_of(each) for each in waiting(site)] == [tag_of(each) for each in elements]


def test_an_edited_message_takes_the_place_of_the_old_one(site):
    elements = site.fill("celery", 2)
    answer = site.post(
        f"/api/v1/messages/{tag_of(elements[0])}/edit", {"args": [7], "kwargs": {"x": None}, "end": "head"}
    )
    first, second = waiting(site)
    assert second == elements[1]
    assert tag_of(first) == answer["tag"] != tag_of(elements[0])
    shown = site.get("/api/v1/queues/celery/messages")["items"][0]
    assert (shown["args"], shown["kwargs"]) == ([7], {"x": None})
    assert shown["id"] == json.loads(elements[0])["headers"]["id"]


def test_many_are_deleted_by_filter_only_when_counted(site):
    keep = site.fill("celery", 4)
    drop = site.fill("celery", 6, task="lab.spam")
    refused = site.post("/api/v1/queues/celery/delete", {"filter": {"task": "lab.spam"}}, status=409)
    assert refused["count"] == 6
    site.post("/api/v1/queues/celery/delete", {"filter": {"task": "lab.spam"}, "expect": 5}, status=409)
    assert waiting(site) == [*keep, *drop]
    answer = site.post("/api/v1/queues/celery/delete", {"filter": {"task": "lab.spam"}, "expect": 6})
    assert (answer["changed"], len(answer["undos"])) == (6, 6)
    assert waiting(site) == keep


def test_a_purge_needs_the_count_and_can_be_undone(site):
    elements = site.fill("celery", 50)
    urgent = envelope(priority=9)
    site.redis.lpush("celery\x06\x169", urgent)
    assert site.post("/api/v1/queues/celery/purge", {}, status=409)["count"] == 51
    assert site.post("/api/v1/queues/celery/purge", {"expect": 50}, status=409)["count"] == 51
    answer = site.post("/api/v1/queues/celery/purge", {"expect": 51})
    assert answer["changed"] == 51
    assert waiting(site) == []
    newer = site.fill("celery", 3)
    assert site.post(f"/api/v1/trash/{answer['undo']}/undo")["changed"] == 51
    assert waiting(site) == [*elements, *newer]
    assert waiting(site, "celery\x06\x169") == [urgent]


def test_an_unacked_message_is_restored_only_as_it_was(site):
    element = envelope(args=(1,))
    tag = hold(site, element)
    site.fill("celery", 2)
    refused = site.post(f"/api/v1/messages/{tag}/restore", status=409)
    assert "force" in refused["detail"]
    site.post(f"/api/v1/messages/{tag}/restore", {"force": True})
    assert site.redis.hlen("unacked") == 0
    assert site.redis.zcard("unacked_index") == 0
    first = json.loads(waiting(site)[0])
    assert first["headers"]["id"] == json.loads(element)["headers"]["id"]
    assert first["headers"]["redelivered"] is True
    site.post(f"/api/v1/messages/{tag}/restore", {"force": True}, status=404)


def test_unacked_messages_are_listed_oldest_first(site):
    elements = [envelope(args=(number,)) for number in range(7)]
    for number, element in enumerate(elements):
        hold(site, element, taken_at=1000.0 + number // 3)
    found, cursor = [], ""
    while cursor is not None:
        page = site.get(f"/api/v1/unacked?limit=2&cursor={cursor.replace(' ', '%20')}")
        found += [item["tag"] for item in page["items"]]
        cursor = page["next"]
    assert sorted(found) == sorted(tag_of(each) for each in elements)
    assert page["total"] == 7
    one = site.get(f"/api/v1/messages/{found[0]}")
    assert (one["where"], one["state"], one["owner"]["state"]) == ("unacked", "overdue", "unknown") or one[
        "state"
    ] in ("unknown", "overdue")


def test_a_task_is_found_by_its_id(site):
    elements = site.fill("celery", 10)
    site.redis.lpush("celery\x06\x163", wanted := envelope(priority=3))
    task = site.get(f"/api/v1/tasks/{json.loads(wanted)['headers']['id']}")
    assert (task["where"], task["position"], task["ahead"]) == ("queued", 1, 10)
    tag = hold(site, elements[0])
    task = site.get(f"/api/v1/tasks/{json.loads(elements[0])['headers']['id']}")
    assert task["where"] == "unacked"
    assert task["messages"][0]["tag"] == tag
    site.redis.set(
        "celery-task-meta-done-1", json.dumps({"status": "SUCCESS", "result": 3, "task_id": "done-1"})
    )
    assert site.get("/api/v1/tasks/done-1")["result"]["status"] == "SUCCESS"
    site.get("/api/v1/tasks/never-heard-of", status=404)


def test_rules_are_kept_in_redis_and_shown(site):
    site.fill("celery", 1)
    site.post("/api/v1/queues/celery/pause", {"reason": "night"})
    assert site.get("/api/v1/queues/celery")["state"] == "paused"
    site.post("/api/v1/queues/celery/rate", {"rate": 2.5})
    site.post("/api/v1/task-types/lab.add/pause")
    site.post("/api/v1/tasks/some-id/revoke")
    kinds = {(rule["kind"], rule["subject"]) for rule in site.get("/api/v1/rules")["items"]}
    assert kinds == {
        ("pause", "celery"),
        ("rate", "celery"),
        ("hold", "lab.add"),
        ("revoke", "some-id"),
    }
    assert [rule["subject"] for rule in site.get("/api/v1/revoked")["items"]] == ["some-id"]
    site.post("/api/v1/queues/celery/resume")
    site.post("/api/v1/queues/celery/rate", {"rate": None})
    site.post("/api/v1/task-types/lab.add/resume")
    site.post("/api/v1/tasks/some-id/revoke", {"remove": True})
    assert site.get("/api/v1/rules")["items"] == []


def test_autoscaler_sees_what_waits_and_what_is_worked_on(site):
    site.fill("celery", 3)
    hold(site, envelope())
    found = site.get("/api/v1/autoscale?queue=celery")
    assert found["value"] == 4
    assert found["queues"] == [{"name": "celery", "ready": 3, "unacked": 1, "value": 4}]


def test_secrets_are_masked(site):
    site.redis.lpush("celery", envelope(kwargs={"password": "hunter2", "user": "ann"}))
    text = json.dumps(site.get("/api/v1/queues/celery/messages"))
    assert "hunter2" not in text
    assert "ann" in text


@pytest.mark.parametrize("kind", ["dead", "held"])
def test_what_was_put_aside_is_listed_and_given_back(site, kind):
    site.fill("celery", 1)
    elements = [envelope(args=(number,)) for number in range(3)]
    site.redis.lpush(f"__sidecar:br:{kind}:celery", *elements)
    listed = site.get(f"/api/v1/{kind}")["items"]
    assert [item["tag"] for item in listed] == [tag_of(each) for each in elements]
    assert site.get("/api/v1/queues/celery")[kind] == 3
    site.post(f"/api/v1/{kind}/celery/requeue", {"tags": [tag_of(elements[1])]})
    assert site.redis.llen("celery") == 2
    assert waiting(site)[-1] == elements[1]
    site.post(f"/api/v1/{kind}/celery/delete", {"tags": [tag_of(elements[0])]})
    assert site.redis.llen(f"__sidecar:br:{kind}:celery") == 1


def test_what_is_so_large_that_redis_would_stand_still_must_be_forced(site):
    site.redis.lpush("celery", large := envelope(args=("x" * 2_000_000,)))
    shown = site.get("/api/v1/queues/celery/messages")["items"][0]
    assert shown["size_bytes"] == len(large)
    site.post(f"/api/v1/messages/{tag_of(large)}/delete", status=409)
    assert site.redis.llen("celery") == 1
    site.post(f"/api/v1/messages/{tag_of(large)}/delete", {"force": True})
    assert site.redis.llen("celery") == 0


def test_changes_of_many_hand_back_and_tell_how_many_are_left(site):
    """Whoever asks for them again has them all in the end; no command keeps Redis busy."""
    site.fill("celery", 9_000, task="lab.many")
    site.fill("celery", 10, task="lab.few")
    site.redis.slowlog_reset()
    left, rounds = 9_000, 0
    while left:
        body = {"filter": {"task": "lab.many"}, "expect": left}
        if rounds % 2:
            body["to"] = "aside"
        answer = site.post(f"/api/v1/queues/celery/{'move' if rounds % 2 else 'delete'}", body)
        assert answer["changed"] > 0 and answer["left"] == left - answer["changed"]
        left, rounds = answer["left"], rounds + 1
    assert rounds > 1
    assert site.redis.llen("celery") == 10
    slow = [entry["command"][:60] for entry in site.redis.slowlog_get(50)]
    assert slow == []
    assert site.redis.llen("aside") + site.redis.hlen("__sidecar:br:trash") == 9_000
