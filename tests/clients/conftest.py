"""Fixtures of the client scenarios. `stack` runs with four shards unless a module asks for more."""

import pytest
from django.conf import settings

from clients.stack import THREADS_DEFAULT, Stack


@pytest.fixture(scope="session")
def stack(request):
    with Stack(getattr(request, "param", THREADS_DEFAULT)) as running:
        yield running


@pytest.fixture
def empty(stack):
    """The stack with nothing stored; afterwards both processes must still be there."""
    stack.flush()
    stack.upstream("SCRIPT", "FLUSH")
    yield stack
    stack.check_alive()


def pytest_configure():
    if not settings.configured:
        settings.configure(SECRET_KEY="tests only", USE_TZ=True)
