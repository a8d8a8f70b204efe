"""What the tests of the broker API say to Redis and to the API."""

import base64
import json
import uuid

import redis

from support.polling import eventually

BROKER_DB = 2


def envelope(
    task="lab.add", args=(), kwargs=None, *, queue="celery", priority=0, tag=None, id=None, **headers
):
    """A message of protocol 2, byte for byte as kombu would write it."""
    id = id or str(uuid.uuid4())
    body = json.dumps(
        [list(args), kwargs or {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    )
    return json.dumps(
        {
            "body": base64.b64encode(body.encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {
                "lang": "py",
                "task": task,
                "id": id,
                "shadow": None,
                "eta": None,
                "expires": None,
                "group": None,
                "group_index": None,
                "retries": 0,
                "timelimit": [None, None],
                "root_id": id,
                "parent_id": None,
                "argsrepr": repr(tuple(args)),
                "kwargsrepr": repr(kwargs or {}),
                "origin": "gen1@test",
                **headers,
            },
            "properties": {
                "correlation_id": id,
                "reply_to": str(uuid.uuid4()),
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": priority,
                "body_encoding": "base64",
                "delivery_tag": tag or str(uuid.uuid4()),
            },
        }
    )


def tag_of(element):
    return json.loads(element)["properties"]["delivery_tag"]


class ControlSite:
    def __init__(self, upstream, sidecar):
        self.upstream = upstream
        self.sidecar = sidecar
        self.redis = redis.Redis(
            host=upstream.address[0], port=upstream.port, db=BROKER_DB, password=upstream.password
        )
        eventually(lambda: self.redis.ping())

    def empty(self):
        self.redis.flushall()
        self.redis.config_resetstat()
        self.redis.config_set("slowlog-log-slower-than", 10_000)
        self.redis.slowlog_reset()

    def get(self, path, status=200, **options):
        found, text = self.sidecar.http(path, **options)
        assert found == status, (path, found, text)
        return json.loads(text)

    def post(self, path, body=None, status=200, **options):
        data = json.dumps(body if body is not None else {})
        return self.get(path, status, method="POST", body=data, **options)

    def fill(self, queue, count, **fields):
        """count messages, the first of them next to run; returns their elements in that order."""
        elements = [envelope(args=(number,), queue=queue, **fields) for number in range(count)]
        for begin in range(0, count, 1000):
            self.redis.lpush(queue, *elements[begin : begin + 1000])
        return elements

    def client(self):
        """A connection through the sidecar, as a worker has one."""
        host, port = self.sidecar.address
        return redis.Redis(host=host, port=port, db=BROKER_DB)
