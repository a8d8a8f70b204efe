"""What operators decide, as workers get to feel it: through the sidecar, with the commands kombu sends."""

import threading
import time

from control_site import envelope, tag_of

from support.polling import eventually, stays

DEPTH = 64_000  # its middle is farther from both ends than a message is taken out


class Worker(threading.Thread):
    """Pops through the sidecar until told to stop."""

    def __init__(self, site, *keys):
        super().__init__(daemon=True)
        self.client = site.client()
        self.keys = keys
        self.over = threading.Event()
        self.tags = []

    def run(self):
        while not self.over.is_set():
            popped = self.client.brpop(self.keys, 1)
            if popped:
                self.tags.append(tag_of(popped[1]))

    def stop(self):
        self.over.set()
        self.join()
        self.client.close()


def test_a_marked_message_is_taken_out_once_it_comes_near_its_turn(site):
    template = envelope(queue="marks", tag="@TAG@", id="@ID@")
    for begin in range(0, DEPTH, 4_000):
        numbers = range(begin, begin + 4_000)
        site.redis.lpush("marks", *(template.replace("@TAG@", f"m{n:05}") for n in numbers))
    middle = DEPTH // 2
    page = site.get(f"/api/v1/queues/marks/messages?cursor=0.{middle}.m{middle - 1:05}&limit=3")["items"]
    victim, mover, kept = (item["tag"] for item in page)
    assert site.post(f"/api/v1/messages/{victim}/delete")["marked"] == 1
    assert site.post(f"/api/v1/messages/{mover}/move", {"to": "elsewhere"})["marked"] == 1
    undone = site.post(f"/api/v1/messages/{kept}/delete")["undo"]
    assert site.get("/api/v1/queues/marks")["ready"] == DEPTH - 3
    site.post(f"/api/v1/trash/{undone}/undo")
    assert site.get("/api/v1/queues/marks")["marked"] == 2
    # What runs before them is taken away at once, so that they come near the end.
    site.redis.ltrim("marks", 0, DEPTH - middle + 20)
    eventually(lambda: site.get("/api/v1/rules?kind=mark")["items"] == [], seconds=10)
    worker = Worker(site, "marks")
    worker.start()
    eventually(lambda: kept in worker.tags, seconds=20)
    site.redis.ltrim("marks", 1, 0)
    worker.stop()
    assert not {victim, mover} & set(worker.tags)
    assert [tag_of(each) for each in site.redis.lrange("elsewhere", 0, -1)] == [mover]
    assert victim in {item["tag"] for item in site.get("/api/v1/trash")["items"]}


def test_what_is_removed_is_forgotten_after_its_time(sites):
    site = sites("--broker-trash-ttl", "1s")
    elements = site.fill("celery", 30)
    site.post(f"/api/v1/messages/{tag_of(elements[0])}/delete")
    site.post("/api/v1/queues/celery/purge", {"expect": 29})
    assert len(site.get("/api/v1/trash")["items"]) == 2
    eventually(lambda: site.get("/api/v1/trash")["items"] == [], seconds=15)
    eventually(lambda: not site.redis.keys("__sidecar:br:trash*"), seconds=5)


def test_applications_with_prefixes_are_told_apart(site):
    site.redis.sadd("a:_kombu.binding.celery", "celery\x06\x16\x06\x16celery")
    site.redis.sadd("_kombu.binding.celery", "celery\x06\x16\x06\x16celery")
    site.redis.lpush("a:celery", envelope())
    prefixes = lambda: [each["prefix"] for each in site.get("/api/v1/brokers")["items"]]  # noqa: E731
    eventually(lambda: prefixes() == ["", "a:"])
    assert site.get("/api/v1/queues")["items"][0]["ready"] == 0
    assert site.get("/api/v1/queues?broker=a:")["items"][0]["ready"] == 1
    site.get("/api/v1/queues?broker=b:", status=404)
    tag = site.get("/api/v1/queues/celery/messages?broker=a:")["items"][0]["tag"]
    site.post(f"/api/v1/messages/{tag}/delete?broker=a:")
    assert site.redis.llen("a:celery") == 0


def test_the_true_age_of_a_message_is_known_from_the_wire(site):
    with site.client() as producer:
        producer.lpush("aged", element := envelope(queue="aged"))
    began = time.time()
    message = eventually(
        lambda: next(
            (
                item
                for item in site.get("/api/v1/queues/aged/messages")["items"]
                if item["age_seconds"] is not None
            ),
            None,
        )
    )
    assert message["tag"] == tag_of(element)
    assert 0 <= message["age_seconds"] <= time.time() - began + 5
    site.redis.lpush("aged", unseen := envelope(queue="aged"))
    page = site.get("/api/v1/queues/aged/messages")["items"]
    assert {item["tag"]: item["age_seconds"] for item in page}[tag_of(unseen)] is None


def test_a_paused_queue_delivers_nothing_and_a_resumed_one_everything(site):
    elements = site.fill("calm", 20)
    site.post("/api/v1/queues/calm/pause")
    worker = Worker(site, "calm", "calm\x06\x163")
    worker.start()
    stays(lambda: not worker.tags and site.redis.llen("calm") == 20, seconds=1.5)
    site.post("/api/v1/queues/calm/resume")
    eventually(lambda: len(worker.tags) == 20)
    worker.stop()
    assert worker.tags == [tag_of(each) for each in elements]


def test_a_waiting_worker_is_held_by_a_pause_that_comes_later(site):
    site.fill("late", 1)
    worker = Worker(site, "late")
    worker.start()
    eventually(lambda: worker.tags)
    site.post("/api/v1/queues/late/pause")
    with site.client() as producer:
        producer.lpush("late", element := envelope(queue="late"))
    stays(lambda: len(worker.tags) == 1, seconds=1.5)
    assert site.redis.llen("late") == 1
    site.post("/api/v1/queues/late/resume")
    eventually(lambda: worker.tags[1:] == [tag_of(element)])
    worker.stop()


def test_revoked_and_held_tasks_are_kept_from_workers(site):
    keep = envelope(queue="mixed", task="lab.keep")
    spam = envelope(queue="mixed", task="lab.spam")
    later = envelope(queue="mixed", task="lab.later")
    dropped = envelope(queue="mixed", task="lab.keep", id="drop-me")
    site.redis.lpush("mixed", spam, later, dropped, keep)
    site.post("/api/v1/task-types/lab.spam/revoke")
    site.post("/api/v1/task-types/lab.later/pause")
    site.post("/api/v1/tasks/drop-me/revoke")
    worker = Worker(site, "mixed")
    worker.start()
    eventually(lambda: worker.tags == [tag_of(keep)])
    eventually(lambda: [item["tag"] for item in site.get("/api/v1/held")["items"]] == [tag_of(later)])
    assert site.get("/api/v1/trash")["items"] is not None
    site.post("/api/v1/task-types/lab.later/resume")
    eventually(lambda: worker.tags == [tag_of(keep), tag_of(later)])
    worker.stop()


def test_a_marked_message_that_is_popped_first_is_kept_back(site):
    template = envelope(queue="marks", tag="@TAG@", id="@ID@")
    for begin in range(0, DEPTH, 4_000):
        numbers = range(begin, begin + 4_000)
        site.redis.lpush("marks", *(template.replace("@TAG@", f"m{n:05}") for n in numbers))
    middle = DEPTH // 2
    page = site.get(f"/api/v1/queues/marks/messages?cursor=0.{middle}.m{middle - 1:05}&limit=2")["items"]
    victim, mover = (item["tag"] for item in page)
    site.post(f"/api/v1/messages/{victim}/delete")
    site.post(f"/api/v1/messages/{mover}/move", {"to": "elsewhere"})
    worker = Worker(site, "marks")
    worker.start()
    site.redis.ltrim("marks", 0, DEPTH - middle - 1)
    eventually(lambda: f"m{middle + 20:05}" in worker.tags, seconds=20)
    site.redis.ltrim("marks", 1, 0)
    worker.stop()
    assert not {victim, mover} & set(worker.tags)
    eventually(lambda: [tag_of(each) for each in site.redis.lrange("elsewhere", 0, -1)] == [mover])
    eventually(lambda: site.get("/api/v1/rules?kind=mark")["items"] == [], seconds=10)
