"""Redis and sidecars with the broker on db 2 (backend: db 3), and the views of both that tests compare."""

import contextlib
import json
import urllib.parse

from support import RedisServer, Sidecar

BROKER_DB = 2
PRIORITY_STEPS = (3, 6, 9)
DURABLE = {"appendonly": "yes", "appendfsync": "always"}


class ApiError(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class Site:
    """flags: of every sidecar. nodes: how many stand on the one Redis."""

    def __init__(self, *flags, nodes=1, redis_options=None):
        self.flags = ("--threads", "2", *flags)
        self._stack = contextlib.ExitStack()
        self.redis = self._stack.enter_context(RedisServer(**(redis_options or {})))
        self.nodes = []
        try:
            for _ in range(nodes):
                self.add_node()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._stack.close()

    def add_node(self, *more_flags):
        node = self._stack.enter_context(Sidecar(self.redis.url, *self.flags, *more_flags))
        self.nodes.append(node)
        return node

    @property
    def sidecar(self):
        return self.nodes[0]

    @property
    def broker(self):
        return self.sidecar.url(BROKER_DB)

    @property
    def direct_broker(self):
        """Of the same db without a sidecar."""
        return f"{self.redis.url}/{BROKER_DB}"

    @property
    def backend(self):
        """Results lie on db 3 of Redis itself: the sidecar serves the dbs 0 to 2."""
        return f"{self.redis.url}/3"

    @property
    def http_url(self):
        host, port = self.sidecar.http_address
        return f"http://{host}:{port}"

    # Redis's own state, past the sidecar.

    def upstream(self, *args, db=BROKER_DB):
        return self.redis.command(*args, db=db)

    def keys(self, pattern="*"):
        """Names in the broker's db, without the sidecar's own."""
        names = sorted(key.decode() for key in self.upstream("KEYS", pattern))
        return [name for name in names if not name.startswith("__sidecar:")]

    def lists_of(self, queue, prefix=""):
        return [f"{prefix}{queue}"] + [f"{prefix}{queue}\x06\x16{step}" for step in PRIORITY_STEPS]

    def depth(self, queue="celery", prefix=""):
        return sum(self.upstream("LLEN", name) for name in self.lists_of(queue, prefix))

    def messages(self, queue="celery", prefix=""):
        """As they lie there, next to run first: decoded envelopes."""
        found = []
        for name in self.lists_of(queue, prefix):
            found += [json.loads(one) for one in reversed(self.upstream("LRANGE", name, 0, -1))]
        return found

    def unacked(self, prefix=""):
        return self.upstream("HLEN", f"{prefix}unacked")

    def empty(self):
        self.redis.thaw()
        if not self.redis.running:
            self.redis.start()
        self.upstream("FLUSHALL")

    def check_alive(self):
        assert self.redis.running, f"redis-server died:\n{self.redis.log_tail()}"
        for node in self.nodes:
            assert node.running, f"a sidecar died:\n{node.log_tail()}"

    # The API.

    def api(self, path, method="GET", body=None, node=0, headers=None, **query):
        """The JSON behind /api/v1PATH; an ApiError for anything but 2xx."""
        text = None if body is None else json.dumps(body)
        if query:
            path += "?" + urllib.parse.urlencode(query)
        headers = {"Content-Type": "application/json", **(headers or {})}
        status, answer = self.nodes[node].http(f"/api/v1{path}", method, headers, text)
        if not 200 <= status < 300:
            raise ApiError(status, answer)
        return json.loads(answer) if answer else None

    def post(self, path, body=None, **options):
        return self.api(path, "POST", {} if body is None else body, **options)
