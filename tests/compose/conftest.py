"""One stack for the whole suite: in containers where an engine runs or can be started, else natively.

--stack-on docker|native|auto, or SIDECAR_STACK_ON, chooses; the first line of the report says which it
was and why.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(pathlib.Path(__file__).resolve().parent)]

import docker_stack  # noqa: E402
import engine as engines  # noqa: E402
import standins  # noqa: E402
from environment import Environment  # noqa: E402
from hdms import Hdms  # noqa: E402
from native_stack import NativeStack, programs_folder  # noqa: E402

from support.sidecar import binary  # noqa: E402

# Short enough to be waited for, long enough to be noticed.
TEST_VALUES = {
    "POSTGRES_PASSWORD": "test-secret",
    "PGBOUNCER_QUERY_WAIT_TIMEOUT": "2",
    "REDIS_PASSWORD": "p@ss/w%rd",
}
chosen = {}


def pytest_addoption(parser):
    group = parser.getgroup("stack")
    wanted = os.environ.get("SIDECAR_STACK_ON", "auto")
    group.addoption("--stack-on", choices=("auto", "docker", "native"), default=wanted)
    group.addoption("--soak", help="run the soak test so long: 90s, 20m, 24h")


def pytest_collection_modifyitems(items):
    """Of the tests alone: the images of a first run may take minutes."""
    for item in items:
        if pathlib.Path(item.fspath).parent.name == "compose" and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(300, func_only=True))


def pytest_terminal_summary(terminalreporter):
    if chosen:
        terminalreporter.section("the stack")
        terminalreporter.write_line(f"ran on: {chosen['on']}")
    for line in chosen.get("table", ()):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def engine(request):
    """None where the stack runs natively."""
    wanted = request.config.getoption("--stack-on")
    if wanted == "native":
        chosen["on"] = "processes of this machine, as asked"
        yield None
        return
    try:
        found = engines.find_or_start()
    except engines.NoEngine as error:
        assert wanted == "auto", str(error)
        chosen["on"] = f"processes of this machine, since {error}"
        yield None
        return
    owner = "started for the tests" if found.process else "found running"
    chosen["on"] = f"Docker {found.version} ({owner}), docker-compose 1.29, stand-ins for images"
    yield found
    found.stop()


@pytest.fixture(scope="session")
def images(engine):
    """Values for .env that name the images made here; empty without an engine."""
    if engine is None:
        return {}
    place = ROOT / "build" / "image"
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["strip", "-o", place / "sidecar", binary()], check=True)
    return docker_stack.build(engine, standins.make_all(engine, programs_folder()))


@pytest.fixture(scope="session")
def new_stack(engine, images):
    """Makes stacks that are not up yet; all are gone at the end."""
    made = []

    def make(beside=None, env_file=".env", **values):
        environment = Environment(beside, env_file, **{**images, **TEST_VALUES, **values})
        stack = NativeStack(environment) if engine is None else docker_stack.DockerStack(engine, environment)
        made.append(stack)
        return Hdms(stack)

    yield make
    for stack in reversed(made):
        keep_logs(stack)
        stack.close()


def keep_logs(stack):
    if folder := os.environ.get("STACK_LOGS"):
        target = pathlib.Path(folder) / f"{stack.kind}-{stack.environment.project}"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in (*docker_stack.CONTAINERS, "migrate"):
            (target / f"{name}.log").write_text(stack.logs(name))


@pytest.fixture(scope="session")
def running(new_stack):
    hdms = new_stack()
    hdms.stack.up()
    return hdms


@pytest.fixture
def hdms(running):
    """The stack that all tests share, with everything connected before a test and again behind it."""
    running.wait_connected()
    yield running
    for name in docker_stack.CONTAINERS:
        if not running.stack.running(name):
            running.stack.start(name)
    running.wait_connected()


@pytest.fixture
def table():
    return chosen.setdefault("table", [])
