import itertools

import pytest

from clients.celery_worker import CeleryWorker
from faults.load.celery_actor import CeleryProducer
from faults.load.mixed_load import MixedLoad
from faults.load.site import Site
from support.starter import start  # noqa: F401

tags = itertools.count(1)


class Service:
    """A site with a Celery worker, which takes seconds to start: shared by the tests of a module."""

    def __init__(self, directory):
        self.site = Site("--hold", "1s", "--client-output-max", "8mb", password="secret")
        self.runs = directory / "runs"
        self.runs.touch()
        self.worker = CeleryWorker(self.site, self.runs, concurrency=2)
        self.worker.wait_ready()

    def labels(self):
        return self.runs.read_text().splitlines()

    def load(self):
        tag = f"t{next(tags)}"
        return MixedLoad(self.site, tag, CeleryProducer(self.site, f"{tag}:task", self.worker, self.labels))

    def close(self):
        self.worker.close()
        self.site.stack.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """The service as it is now: a fresh one after a test that broke it."""
    services = []

    def current():
        if not services or not services[-1].site.usable:
            services.append(Service(tmp_path_factory.mktemp("service")))
        return services[-1]

    yield current
    for each in services:
        each.close()


@pytest.fixture
def site(service):
    return service().site


@pytest.fixture
def load(service, site):
    with service().load() as load:
        try:
            yield load
        finally:
            site.heal()
    site.all_well_again()
    assert site.sidecar.running, site.sidecar.log_tail()


@pytest.fixture
def rounds(request):
    return request.config.getoption("--rounds")
