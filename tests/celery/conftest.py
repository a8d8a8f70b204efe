"""Fixtures of the suites with real Celery.

`site` is shared by a module and empty at the begin of every test; `sites` makes others. `environment` runs a
test with both releases. `apps(...)` describes an application; `clients(...)`, `workers(...)` run it.
"""

import contextlib

import pytest

from lab.app import AppOptions
from lab.client import Client
from lab.environments import Environment
from lab.journal import Journal
from lab.site import Site
from lab.worker import Worker


@pytest.fixture(scope="module")
def module_site():
    with Site() as running:
        yield running


@pytest.fixture
def site(module_site):
    """One sidecar with the default flags on a Redis of its own, nothing stored."""
    module_site.empty()
    yield module_site
    module_site.check_alive()


@pytest.fixture
def sites():
    """sites(*flags, nodes=1, redis_options=None): one of its own for a test that needs other flags."""
    with contextlib.ExitStack() as stack:
        yield lambda *flags, **options: stack.enter_context(Site(*flags, **options))


@pytest.fixture(params=list(Environment), ids=lambda each: each.value)
def environment(request):
    """The newest Celery, then that of Debian 12."""
    return request.param


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal")


@pytest.fixture
def clients(journal):
    """clients(environment, options): the client side of an application; ends with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda environment, options, other=None: stack.enter_context(
            Client(environment, options, other or journal)
        )


@pytest.fixture
def workers(journal):
    """workers(environment, options, queues=, concurrency=, pool=, ready=True): killed with the test."""
    with contextlib.ExitStack() as stack:

        def start(environment, options, ready=True, **more):
            worker = stack.enter_context(Worker(environment, options, journal, **more)).start()
            return worker.wait_ready() if ready else worker

        yield start


@pytest.fixture
def apps(site):
    """apps(**fields of AppOptions): an application on `site`, with its results on db 3."""
    return lambda **fields: AppOptions(**{"broker": site.broker, "backend": site.backend, **fields})
