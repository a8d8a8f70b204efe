"""Queues as the API shows them, against what lies in Redis."""

from urllib.parse import quote

from control_site import envelope, tag_of

from support.polling import eventually


def names(site):
    return [queue["name"] for queue in site.get("/api/v1/queues")["items"]]


def test_queues_are_found_by_their_bindings_and_by_what_they_hold(site):
    site.redis.sadd("_kombu.binding.celery", "celery\x06\x16\x06\x16celery", "idle\x06\x16\x06\x16idle")
    site.redis.sadd("_kombu.binding.celery.pidbox", "\x06\x16\x06\x16w@h.celery.pidbox")
    site.fill("celery", 3)
    site.redis.lpush("celery\x06\x163", envelope(priority=3))
    site.fill("undeclared", 1)
    site.redis.rpush("foreign", "not a message of kombu")
    eventually(lambda: names(site) == ["celery", "idle", "undeclared"])
    celery = site.get("/api/v1/queues")["items"][0]
    assert celery["ready"] == 4
    assert celery["by_priority"] == {"0": 3, "3": 1, "6": 0, "9": 0}


def test_messages_come_in_the_order_in_which_they_will_run(site):
    low = envelope(priority=3, queue="orders")
    elements = site.fill("orders", 25)
    site.redis.lpush("orders\x06\x163", low)
    found, cursor = [], ""
    while cursor is not None:
        page = site.get(f"/api/v1/queues/orders/messages?limit=10&cursor={quote(cursor)}")
        found += [message["tag"] for message in page["items"]]
        cursor = page["next"]
    assert found == [tag_of(element) for element in [*elements, low]]


def test_a_page_goes_on_behind_its_cursor_while_consumers_take_messages(site):
    elements = site.fill("busy", 60)
    first = site.get("/api/v1/queues/busy/messages?limit=20")
    for _ in range(7):
        site.redis.rpop("busy")
    site.fill("busy", 5)
    second = site.get(f"/api/v1/queues/busy/messages?limit=20&cursor={quote(first['next'])}")
    assert [message["tag"] for message in second["items"]] == [tag_of(each) for each in elements[20:40]]
    assert second["left_meanwhile"] == 7
    assert second["exact"]


def test_a_queue_that_does_not_exist_is_not_found(site):
    assert site.get("/api/v1/queues/nowhere/messages", status=404)["status"] == 404
