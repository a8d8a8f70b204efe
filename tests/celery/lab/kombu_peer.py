"""kombu's Redis transport by hand: what a worker does on the wire, one step at a time."""

import json
import time
import uuid


def message(task="lab.record", tag=None, id=None, redelivered=False, **headers):
    """An envelope as Celery writes it."""
    headers = {"lang": "py", "task": task, "id": id or str(uuid.uuid4()), **headers}
    properties = {"delivery_info": {"exchange": "", "routing_key": "celery"}, "priority": 0}
    if redelivered:
        headers["redelivered"] = properties["delivery_info"]["redelivered"] = True
    properties |= {"body_encoding": "base64", "delivery_tag": tag or str(uuid.uuid4())}
    return json.dumps(
        {
            "body": "W1tdLCB7fSwge31d",
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": headers,
            "properties": properties,
        }
    ).encode()


def tag_of(element):
    return json.loads(element)["properties"]["delivery_tag"]


class KombuPeer:
    """Pops on one connection and notes on another, as a worker does."""

    def __init__(self, sidecar, prefix=""):
        self.prefix = prefix
        self.popping = sidecar.client(db=2)
        self.noting = sidecar.client(db=2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.popping.close()
        self.noting.close()

    def ask(self, *queues, seconds=1):
        self.popping.send_command("BRPOP", *(self.prefix + name for name in queues), seconds)

    def answer(self):
        """The element, or None."""
        reply = self.popping.read()
        return None if reply is None else reply[1]

    def pop(self, *queues, seconds=1):
        self.ask(*queues, seconds=seconds)
        return self.answer()

    def note(self, element):
        tag = tag_of(element)
        value = json.dumps([json.loads(element), "", "celery"])
        return self.noting.pipeline(
            ("MULTI",),
            ("ZADD", f"{self.prefix}unacked_index", time.time(), tag),
            ("HSET", f"{self.prefix}unacked", tag, value),
            ("EXEC",),
        )

    def settle(self, element):
        tag = tag_of(element)
        return self.noting.pipeline(
            ("MULTI",),
            ("ZREM", f"{self.prefix}unacked_index", tag),
            ("HDEL", f"{self.prefix}unacked", tag),
            ("EXEC",),
        )

    def work(self, *queues):
        element = self.pop(*queues)
        if element is not None:
            self.note(element)
            self.settle(element)
        return element
