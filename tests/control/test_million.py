"""A queue of a million messages while consumers take from it: no command of the API keeps Redis busy."""

import threading
from urllib.parse import quote

import pytest
from control_site import envelope, tag_of

MESSAGES = 1_000_000
TEMPLATE = envelope(args=(1, 2), queue="deep", tag="@TAG@", id="@ID@")


def element(number):
    return TEMPLATE.replace("@TAG@", f"tag-{number:07}").replace("@ID@", f"id-{number:07}")


class Consumer(threading.Thread):
    """Pops past the sidecar, as fast as a busy worker does, and remembers what it got."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.client = site.redis.client()
        self.over = threading.Event()
        self.tags = []

    def run(self):
        while not self.over.wait(0.002):
            popped = self.client.execute_command("RPOP", "deep")
            if popped:
                self.tags.append(tag_of(popped))


@pytest.fixture(scope="module")
def deep(module_site):
    module_site.empty()
    for begin in range(0, MESSAGES, 5_000):
        module_site.redis.lpush("deep", *(element(number) for number in range(begin, begin + 5_000)))
    module_site.redis.slowlog_reset()
    yield module_site
    module_site.empty()


def slow_commands(site):
    """What took Redis more than 10 ms, other than what this test itself sends."""
    return [
        (entry["duration"], entry["command"][:120])
        for entry in site.redis.slowlog_get(100)
        if not entry["command"].startswith((b"LPUSH deep", b"LRANGE deep 0", b"FLUSHALL"))
    ]


@pytest.mark.timeout(600)
def test_peek_page_move_and_delete_in_a_million_while_consumers_take(deep):
    consumers = [Consumer(deep) for _ in range(2)]
    for consumer in consumers:
        consumer.start()
    path = "/api/v1/queues/deep/messages?limit=100&decode=false"
    seen, cursor = [], ""
    for _ in range(20):
        page = deep.get(f"{path}&cursor={quote(cursor)}")
        seen += [item["tag"] for item in page["items"]]
        cursor = page["next"]
    assert len(seen) == len(set(seen)), "a message was shown twice"
    newest = deep.get(f"{path}&order=newest")["items"]
    assert newest[0]["tag"] == f"tag-{MESSAGES - 1:07}"
    middle = deep.get(f"{path}&cursor={quote(f'0.{MESSAGES // 2}.tag-{MESSAGES // 2 - 1:07}')}")["items"]
    victims = [page["items"][-1]["tag"], newest[5]["tag"], middle[50]["tag"]]
    movers = [newest[9]["tag"], middle[60]["tag"]]
    marked = 0
    for tag in victims:
        marked += deep.post(f"/api/v1/messages/{tag}/delete")["marked"]
    for tag in movers:
        marked += deep.post(f"/api/v1/messages/{tag}/move", {"to": "aside"})["marked"]
    assert marked == 2, "what lies in the middle is marked, what is near an end is taken out"
    shown = deep.get(f"{path}&cursor={quote(f'0.{MESSAGES // 2}.tag-{MESSAGES // 2 - 1:07}')}")["items"]
    assert not {middle[50]["tag"], middle[60]["tag"]} & {item["tag"] for item in shown}
    assert deep.get("/api/v1/queues/deep")["marked"] == 2
    for consumer in consumers:
        consumer.over.set()
        consumer.join()
    assert slow_commands(deep) == []
    # The whole queue, read past the sidecar: every message is somewhere, once.
    found = [tag for consumer in consumers for tag in consumer.tags]
    for begin in range(0, MESSAGES, 50_000):
        found += [tag_of(each) for each in deep.redis.lrange("deep", begin, begin + 49_999)]
    aside = [tag_of(each) for each in deep.redis.lrange("aside", 0, -1)]
    assert aside == [movers[0]]
    assert len(found) == len(set(found))
    expected = {f"tag-{number:07}" for number in range(MESSAGES)} - {*victims[:2], movers[0]}
    assert set(found) == expected


@pytest.mark.timeout(600)
def test_purge_and_undo_of_a_million_and_a_filter_that_would_read_it_all(deep):
    path = "/api/v1/queues/deep"
    deep.redis.slowlog_reset()
    depth = deep.redis.llen("deep")
    deep.post(f"{path}/delete", {"filter": {"task": "lab.add"}, "expect": 1}, status=422)
    assert deep.redis.llen("deep") == depth, "who would have to read it all changes nothing"
    count = deep.post(f"{path}/purge", status=409)["count"]
    purged = deep.post(f"{path}/purge", {"expect": count})
    assert purged["changed"] == count and deep.redis.llen("deep") == 0
    deep.redis.lpush("deep", *(element(MESSAGES + number) for number in range(3)))
    deep.post(f"/api/v1/trash/{purged['undo']}/undo")
    assert deep.redis.llen("deep") == depth + 3
    assert tag_of(deep.redis.lindex("deep", 0)) == f"tag-{MESSAGES + 2:07}", "what came since runs last"
    assert slow_commands(deep) == []
