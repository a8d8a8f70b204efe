"""A sidecar on a Redis of its own; messages as kombu writes them, put straight into Redis."""

import contextlib

import pytest
from control_site import ControlSite

from support.redis_server import RedisServer
from support.sidecar import Sidecar


@pytest.fixture(scope="module")
def module_site():
    with RedisServer() as upstream, Sidecar(upstream.url) as sidecar:
        yield ControlSite(upstream, sidecar)


@pytest.fixture
def site(module_site):
    module_site.empty()
    return module_site


@pytest.fixture
def sites():
    """sites(*flags, password=None): one of its own."""
    with contextlib.ExitStack() as stack:

        def start(*flags, **options):
            upstream = stack.enter_context(RedisServer(**options))
            sidecar = stack.enter_context(Sidecar(upstream.url, *flags))
            return ControlSite(upstream, sidecar)

        yield start
