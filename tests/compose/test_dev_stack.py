"""`./dev stack` and `./dev stack docker`: one terminal brings all of it up, Ctrl-C stops all of it."""

import contextlib
import os
import pathlib
import re
import secrets
import signal
import subprocess

import http_client
import pytest
from compose.native.stack import answers
from docker_stack import QUICK, QUICK_TEXT
from environment import PORTS, ROOT, SERVICES, Environment
from native_stack import PYTHON

from support.polling import eventually
from support.processes import Process
from support.sidecar import binary

UP_SECONDS = 150
END_SECONDS = 90


class Terminal(Process):
    """A command in a session of its own, as in a terminal; ctrl_c() reaches all that is in the foreground."""

    def __init__(self, command, folder, environment):
        super().__init__("terminal")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ctrl_c(self):
        os.killpg(self.pid, signal.SIGINT)
        return self.process.wait(END_SECONDS)


def healthy(environment, service):
    with contextlib.suppress(*http_client.CONNECTION_ERRORS):
        return http_client.get(environment.port(service), "/health/", timeout=20).status == 200
    return False


def wait_until_up(environment, terminal):
    for service in SERVICES:
        eventually(
            lambda: healthy(environment, service) or not terminal.running,
            UP_SECONDS,
            0.2,
            message=terminal.log_tail(),
        )
        assert terminal.running, terminal.log_tail()


def listening(environment):
    return {name for name in PORTS if answers(environment.port(name))}


def processes_of(folder):
    """Whose command line or working folder lies in the folder."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().decode(errors="replace")
            if str(folder) in words or os.readlink(process / "cwd").startswith(str(folder)):
                found.append(words.replace("\0", " "))
    return found


@pytest.mark.timeout(UP_SECONDS + END_SECONDS + 30)
def test_natively_ctrl_c_stops_everything():
    environment = Environment(POSTGRES_PASSWORD="x")
    try:
        command = [
            PYTHON,
            "-m",
            "compose.native",
            "--sidecar",
            binary(),
            "--folder",
            environment.folder / "data",
        ]
        with Terminal(
            command, environment.folder, {**os.environ, "PYTHONPATH": str(environment.folder)}
        ) as seen:
            wait_until_up(environment, seen)
            eventually(lambda: "Ctrl-C stops everything" in seen.log(), 20)
            heads = set(re.findall(r"^ *([a-z-]+) \| ", seen.log(), re.MULTILINE))
            assert {"postgres", "pgbouncer", "redis", "sidecar", "migrate", "file-worker"} <= heads
            assert processes_of(environment.folder) != []
            assert seen.ctrl_c() == 0, seen.log_tail()
            assert "Traceback (most" not in seen.log_tail(60), seen.log_tail(60)
        assert listening(environment) == set()
        assert processes_of(environment.folder) == []
    finally:
        environment.remove()


@pytest.mark.timeout(UP_SECONDS + END_SECONDS + 60)
def test_natively_an_env_file_that_is_missing_is_named(tmp_path):
    command = [PYTHON, "-m", "compose.native", "--env-file", "nowhere.env", "--folder", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "nowhere.env" in done.stderr


@pytest.mark.timeout(UP_SECONDS + END_SECONDS + 60, func_only=True)
def test_in_docker_ctrl_c_stops_every_container(engine, images):
    if engine is None:
        pytest.skip("needs an engine")
    environment = Environment(**images, POSTGRES_PASSWORD="x")
    (environment.compose / QUICK).write_text(QUICK_TEXT)
    variables = {**engine.environment, "COMPOSE_FILE": f"docker-compose.yml:{QUICK}"}
    compose = ["bash", environment.compose / "up.sh"]
    try:
        with Terminal([*compose, "up", "--no-color"], environment.folder, variables) as seen:
            wait_until_up(environment, seen)
            assert running(engine, environment) != []
            seen.ctrl_c()
        assert running(engine, environment) == []
        assert listening(environment) == set()
    finally:
        subprocess.run([*compose, "down", "-v", "-t", "3"], env=variables, capture_output=True, timeout=120)
        environment.remove()


@pytest.mark.timeout(600, func_only=True)
def test_in_docker_up_build_makes_every_image_first(engine, images):
    """By Compose v1 on the files of the clone, where none of the project's own images is there yet."""
    if engine is None:
        pytest.skip("needs an engine")
    names = ("SIDECAR_IMAGE", "PGBOUNCER_IMAGE", "SERVICES_IMAGE")
    own = {name: f"{secrets.token_hex(6)}/{name.split('_')[0].lower()}:latest" for name in names}
    environment = Environment(**{**images, **own}, POSTGRES_PASSWORD="x")
    environment.set(ENV_FILE=".env.example")
    quick = environment.compose / QUICK
    quick.write_text(QUICK_TEXT)
    files = ["-f", ROOT / "compose" / "docker-compose.yml", "-f", quick]
    compose = ["docker-compose", "--env-file", environment.compose / ".env", *files]

    def run(*arguments):
        command = [*compose, *arguments]
        return subprocess.run(command, env=engine.environment, capture_output=True, text=True, timeout=500)

    try:
        up = run("up", "-d", "--build")
        assert up.returncode == 0, up.stdout[-2000:] + up.stderr[-2000:]
        for service in SERVICES:
            eventually(lambda: healthy(environment, service), UP_SECONDS, 0.2, message=service)
    finally:
        run("down", "-v", "-t", "3")
        engine.run("rmi", *own.values(), check=False)
        environment.remove()


def running(engine, environment):
    names = ["--filter", f"name={environment.project}", "--format", "{{.Names}}"]
    return engine.run("ps", *names).stdout.split()
