"""Fixtures of the client scenarios. `stack` runs with four shards unless a module asks for more."""

import pytest
import redis
from django.conf import settings

from clients.stack import THREADS_DEFAULT, Stack
from support import eventually


@pytest.fixture(scope="session")
def stack(request):
    with Stack(getattr(request, "param", THREADS_DEFAULT)) as running:
        yield running


@pytest.fixture
def empty(stack):
    """The stack with nothing stored and nobody waiting; afterwards both processes must still be there."""
    eventually(lambda: stack.redis.blocked_clients() == 0, 10, message="a client that is gone still waits")
    stack.flush()
    stack.upstream("SCRIPT", "FLUSH")
    yield stack
    stack.check_alive()


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def protocol(request):
    return request.param


@pytest.fixture
def connect(empty, protocol):
    """Opens redis-py clients of the protocol; closes them."""
    opened = []

    def open_client(db=0, **options):
        client = redis.Redis.from_url(empty.url(db), **{"protocol": protocol, **options})
        opened.append(client)
        return client

    yield open_client
    for client in opened:
        client.close()


def pytest_configure():
    if not settings.configured:
        settings.configure(SECRET_KEY="tests only", USE_TZ=True)
