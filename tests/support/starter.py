"""The `start` fixture: servers and clients that end with the test."""

import contextlib

import pytest

from support.redis_server import RedisServer
from support.sidecar import Sidecar


@pytest.fixture
def start():
    """start.redis(...), start.sidecar(...), start.both(...), start.client(...)."""
    with contextlib.ExitStack() as stack:
        yield Starter(stack)


class Starter:
    def __init__(self, stack):
        self.stack = stack

    def redis(self, **options):
        return self.stack.enter_context(RedisServer(**options))

    def sidecar(self, redis, *flags, **options):
        url = redis if isinstance(redis, str) or redis is None else redis.url
        return self.stack.enter_context(Sidecar(url, *flags, **options))

    def both(self, *flags, **redis_options):
        redis = self.redis(**redis_options)
        return redis, self.sidecar(redis, *flags)

    def client(self, sidecar, **options):
        return self.stack.enter_context(sidecar.client(**options))

    def clients(self, sidecar, count, **options):
        return [self.client(sidecar, **options) for _ in range(count)]
