"""A Docker engine for the tests: the machine's own, or one started for them and stopped behind them.

One of the tests' own keeps its images under /var/cache, so that the next run on this machine finds them.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from support.processes import Process

CACHE = pathlib.Path("/var/cache/sidecar-stack")
START_SECONDS = 40
PROJECT = "hdmstest"


class NoEngine(Exception):
    """Why there is none."""


class Engine:
    def __init__(self, environment, process=None):
        self.environment = environment
        self.process = process

    def run(self, *arguments, check=True, timeout=600, **options):
        options = {"capture_output": True, "text": True, **options}
        command = ["docker", *map(str, arguments)]
        result = subprocess.run(command, env=self.environment, timeout=timeout, **options)
        if check and result.returncode:
            said = f"{result.stdout}{result.stderr}"
            raise AssertionError(f"{' '.join(command)}: status {result.returncode}\n{said}")
        return result

    def stop(self):
        if self.process:
            self.process.stop(30)
            self.process.close()
            shutil.rmtree(self.process.runtime, ignore_errors=True)

    @property
    def version(self):
        return self.run("version", "--format", "{{.Server.Version}}").stdout.strip()


def answers(environment):
    try:
        command = ["docker", "version", "--format", "{{.Server.Version}}"]
        return subprocess.run(command, env=environment, capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def find_or_start():
    """The legacy builder is asked for: Debian's engine has no other without a plugin."""
    environment = {**os.environ, "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}
    if not shutil.which("docker"):
        raise NoEngine("docker is not installed")
    if answers(environment):
        return Engine(environment)
    if os.geteuid() != 0:
        raise NoEngine("no engine runs, and only root may start one")
    if not shutil.which("dockerd"):
        raise NoEngine("no engine runs, and dockerd is not installed")
    return start_own(environment)


def start_own(environment, data="docker", before=()):
    """data: the folder of its images; what a killed run left there running is removed."""
    CACHE.mkdir(parents=True, exist_ok=True)
    runtime = pathlib.Path(tempfile.mkdtemp(prefix="stack-engine-"))
    process = Process("dockerd")
    process.runtime = runtime
    socket = f"unix://{runtime}/docker.sock"
    dockerd = shutil.which("dockerd", path=environment["PATH"])
    command = [dockerd, "--host", socket, "--data-root", CACHE / data, "--exec-root", runtime / "exec"]
    command += ["--pidfile", runtime / "pid", "--log-level", "warn"]
    process.spawn([*before, *command], env=environment)
    environment = {**environment, "DOCKER_HOST": socket}
    deadline = time.monotonic() + START_SECONDS
    while not answers(environment):
        if not process.running or time.monotonic() > deadline:
            why = process.log_tail(4)
            process.close()
            raise NoEngine(f"dockerd does not start: {why}")
        time.sleep(0.2)
    engine = Engine(environment, process)
    sweep(engine)
    return engine


def sweep(engine):
    """Containers, volumes and networks of stacks of these tests, on an engine of their own."""
    for kind, remove in (("container", ["rm", "-f", "-v"]), ("volume", ["rm", "-f"]), ("network", ["rm"])):
        everything = ["--all"] if kind == "container" else []
        names = engine.run(kind, "ls", "-q", *everything, "--filter", f"name={PROJECT}").stdout.split()
        if names:
            engine.run(kind, *remove, *names, check=False)
