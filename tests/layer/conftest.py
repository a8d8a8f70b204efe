"""Fixtures of the channel layers: sites (Redis and sidecars), programs in either environment.

`site` and `two_nodes` are shared by a module and empty at the begin of every test; `sites` makes others.
"""

import contextlib
import sys

import pytest
from django.conf import settings

from layer.environments import PACKAGE, Environment, Program
from layer.site import Site

if PACKAGE.is_dir():
    sys.path.insert(0, str(PACKAGE))


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


@pytest.fixture(scope="module")
def module_two_nodes():
    with Site(nodes=2) as running:
        yield running


@pytest.fixture
def two_nodes(module_two_nodes):
    """Two sidecars on one Redis, nothing stored: url(0), url(1)."""
    module_two_nodes.empty()
    yield module_two_nodes
    module_two_nodes.check_alive()


@pytest.fixture
def sites():
    """sites(*flags, nodes=1): one of its own for a test that breaks it."""
    with contextlib.ExitStack() as stack:
        yield lambda *flags, **options: stack.enter_context(Site(*flags, **options))


@pytest.fixture(params=list(Environment), ids=lambda each: each.value)
def environment(request):
    """The newest releases, then those of Debian 12. `@pytest.mark.parametrize` narrows it (indirect)."""
    return request.param


@pytest.fixture
def program():
    """program(environment, module, *arguments, **variables): a running Program, killed with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, **variables: stack.enter_context(Program(*args, **variables))


def pytest_configure():
    if not settings.configured:
        settings.configure(SECRET_KEY="tests only", USE_TZ=True)
