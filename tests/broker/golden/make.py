"""Makes the golden messages again: `PYTHON make.py URL FOLDER`, with a Redis that may be emptied.

PYTHON has Celery with redis, msgpack, pyyaml, a zstd module and brotli. FOLDER is celery-5.7 or celery-5.2
beside this file. Ids and times differ each time; the tests look at what does not.
"""

import datetime
import decimal
import pathlib
import sys
import time
import uuid

import celery
import redis
from celery import Celery, chain, chord, group
from kombu import Connection
from kombu.pidbox import Mailbox

ZONE = datetime.UTC
MOMENT = datetime.datetime(2026, 11, 22, 12, 10, 35, 32847, tzinfo=ZONE)
ARGS = (1, "zwei", [3.5, None, True], -(2**70))
PLAIN = {"user": "ada", "password": "hunter2", "text": 'naïve ☕\n"quoted"'}
RICH = {
    "when": MOMENT,
    "day": MOMENT.date(),
    "price": decimal.Decimal("12.50"),
    "key": uuid.UUID("0e3c2f1a-1111-4222-8333-abcdefabcdef"),
}
RAW = {"blob": b"\x00\xff\x10", "ascii": b"plain"}
PYTHON = {"pair": (1, 2), "unique": {7}, "span": datetime.timedelta(hours=1), "shared": [[1], [1]]}


class Point:
    """Pickled by reference to this module: never to be built by who looks at it."""

    def __init__(self, x):
        self.x = x
        self.secret = "s3cret"


class Maker:
    def __init__(self, url, folder):
        self.url = url
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.redis = redis.Redis.from_url(url)
        self.redis.flushall()

    def app(self, **settings):
        app = Celery("proj", broker=self.url, backend=self.url, set_as_current=False)
        app.conf.update(accept_content=["json", "pickle", "msgpack", "yaml"], **settings)

        @app.task(name="proj.work")
        def work(*args, **kwargs):
            return None

        return app

    def keep(self, name, data):
        (self.folder / name).write_bytes(data)

    def take(self, name, key="celery"):
        elements = self.redis.lrange(key, 0, -1)
        assert len(elements) == 1, (name, len(elements))
        self.keep(name, elements[0])
        self.redis.flushall()

    def send(self, name, args=ARGS, kwargs=PLAIN, settings=None, **options):
        app = self.app(**(settings or {}))
        app.tasks["proj.work"].apply_async(args, dict(kwargs), **options)
        self.take(name)
        app.close()


def simple(args):
    """MessagePack and YAML have no integers of any length."""
    return args[:3]


def serializers(maker):
    new = celery.VERSION[:2] >= (5, 3)
    maker.send("v2-json", kwargs={**PLAIN, **RICH, **(RAW if new else {})})
    maker.send("v2-pickle", kwargs={**PLAIN, **RICH, **RAW, **PYTHON}, serializer="pickle")
    maker.send("v2-pickle-object", args=(Point(7),), kwargs={}, serializer="pickle")
    maker.send("v2-msgpack", args=simple(ARGS), kwargs={**PLAIN, **RAW}, serializer="msgpack")
    maker.send("v2-yaml", args=simple(ARGS), kwargs={**PLAIN, "day": MOMENT.date(), **RAW}, serializer="yaml")
    first = {"task_protocol": 1}
    maker.send("v1-json", settings=first)
    maker.send("v1-pickle", kwargs={**PLAIN, **PYTHON}, settings=first, serializer="pickle", eta=MOMENT)


def compressions(maker):
    for name in ("zlib", "bzip2", "lzma", "zstd", "brotli"):
        maker.send(f"v2-json-{name}", compression=name)
    maker.send("v2-pickle-zlib", serializer="pickle", compression="zlib")


def options(maker):
    maker.send("eta", eta=MOMENT, expires=MOMENT + datetime.timedelta(days=1), retries=2, priority=0)
    maker.send("limits", soft_time_limit=5, time_limit=10, ignore_result=True)
    maker.send("large", args=("x" * 100_000,), kwargs={})


def workflows(maker):
    app = maker.app()
    work = app.tasks["proj.work"]
    chain(work.si(1), work.si(2).set(queue="later"), work.si(3)).apply_async()
    maker.take("chain")
    chain(work.si(1), work.si(2), work.si(3)).apply_async(serializer="pickle")
    maker.take("chain-pickle")
    if celery.VERSION[:2] >= (5, 3):
        stamped = work.si(1)
        stamped.stamp(customer="ada", append_stamps=True)
        stamped.apply_async()
        maker.take("stamped")
    work.apply_async((1,), link=work.s(2), link_error=work.si("failed"))
    maker.take("callbacks")
    chord([work.s(1), work.s(2)], work.s("body")).apply_async()
    elements = maker.redis.lrange("celery", 0, -1)
    maker.keep("chord-member", elements[-1])
    maker.redis.flushall()
    group(work.s(1), work.s(2)).apply_async()
    maker.keep("group-member", maker.redis.lrange("celery", 0, -1)[-1])
    maker.redis.flushall()
    app.close()


def unacked(maker):
    app = maker.app()
    app.tasks["proj.work"].apply_async((1,), {})
    with Connection(maker.url) as connection:
        queue = connection.SimpleQueue("celery")
        queue.get(timeout=5)
        maker.keep("unacked", maker.redis.hvals("unacked")[0])
        maker.redis.flushall()
    app.close()


def published(maker, name, pattern, send):
    """What `send` publishes to a channel."""
    listener = maker.redis.pubsub(ignore_subscribe_messages=True)
    listener.psubscribe(pattern)
    listener.get_message(timeout=1)
    send()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        message = listener.get_message(timeout=0.2)
        if message:
            maker.keep(name, message["data"])
            listener.close()
            return
    raise SystemExit(f"nothing published for {name}")


def events(maker):
    app = maker.app()
    with app.connection_for_write() as connection:
        dispatcher = app.events.Dispatcher(connection, hostname="w1@host", buffer_group={"task"})
        beat = {"freq": 2.0, "active": 1, "processed": 9, "loadavg": [0.5, 0.4, 0.3], "sw_ident": "py-celery"}
        published(maker, "event-heartbeat", "*celeryev*", lambda: dispatcher.send("worker-heartbeat", **beat))

        def tasks():
            dispatcher.send("task-started", uuid="id-1")
            dispatcher.send("task-succeeded", uuid="id-1", result="'ok'", runtime=0.25)
            dispatcher.flush()

        published(maker, "event-tasks", "*celeryev*", tasks)
    app.close()


def pidbox(maker):
    app = maker.app()
    ask = {"destination": ["w1@host"], "reply": False}
    published(
        maker,
        "pidbox-request",
        "*pidbox*",
        lambda: app.control.broadcast("rate_limit", {"task_name": "a"}, **ask),
    )
    with Connection(maker.url) as connection:
        mailbox = Mailbox("celery", connection=connection)
        channel = connection.channel()
        mailbox.get_reply_queue()(channel).declare()
        reply_queue = mailbox.get_reply_queue()
        node = mailbox.Node("w1@host", channel=channel)
        key = reply_queue.routing_key
        node.reply({"w1@host": {"ok": "pong"}}, reply_queue.exchange.name, key, ticket="ticket-1")
        maker.take("pidbox-reply", key=reply_queue.name)
    app.close()


def main():
    maker = Maker(*sys.argv[1:3])
    for part in (serializers, compressions, options, workflows, unacked, events, pidbox):
        part(maker)
    print(f"{len(list(maker.folder.iterdir()))} messages of Celery {celery.__version__} in {maker.folder}")


if __name__ == "__main__":
    main()
