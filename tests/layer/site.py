"""What the layers run on: a Redis that keeps what it acknowledged, and sidecars in front of it."""

import contextlib

from clients.stack import CHANNELS_DB
from support import RedisServer, Sidecar

DURABLE = {"appendonly": "yes", "appendfsync": "always"}


class Site:
    """nodes: how many sidecars stand on the one Redis."""

    def __init__(self, *flags, nodes=1, redis_options=None):
        self.flags = ("--threads", "2", *flags)
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as building:
            self.redis = building.enter_context(RedisServer(**DURABLE, **(redis_options or {})))
            self._stack = building.pop_all()
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

    def url(self, node=0):
        """Of the layers' db through a sidecar."""
        return self.nodes[node].url(CHANNELS_DB)

    @property
    def direct_url(self):
        """Of the same db without a sidecar."""
        return f"{self.redis.url}/{CHANNELS_DB}"

    def upstream(self, *args):
        """A command on the layers' db that bypasses the sidecar."""
        return self.redis.command(*args, db=CHANNELS_DB)

    def keys(self, pattern="*"):
        return sorted(key.decode() for key in self.upstream("KEYS", pattern))

    def empty(self):
        self.redis.thaw()
        if not self.redis.running:
            self.redis.start()
        self.upstream("FLUSHALL")

    def check_alive(self):
        assert self.redis.running, f"redis-server died:\n{self.redis.log_tail()}"
        for node in self.nodes:
            assert node.running, f"a sidecar died:\n{node.log_tail()}"
