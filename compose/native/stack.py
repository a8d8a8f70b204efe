"""The whole stack without containers: what docker-compose.yml describes, as processes of this machine.

Order of the start: PostgreSQL, PgBouncer and Redis, the sidecar, the migrations, then the services, each when
what it needs answers.
"""

import os
import pathlib
import signal
import socket
import subprocess
import time

from compose.native import postgres
from compose.native.processes import Managed, become
from compose.native.settings import COMPOSE, env_of, service_environment

READY_SECONDS = 90
WEB = ("-c", "python:hdms_common.gunicorn")


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


class StartFailed(Exception):
    pass


class Stack:
    """folder: its data and sockets. programs: PostgreSQL's. python: the services' interpreter.

    compose: the folder with the .env files and the services. env_file: which of them is the stack's.
    environment: what replaces its lines.
    """

    def __init__(
        self,
        folder,
        ports,
        *,
        sidecar,
        programs,
        python,
        on_line,
        compose=COMPOSE,
        env_file=".env",
        environment=None,
    ):
        self.folder = pathlib.Path(folder)
        self.ports = ports
        self.sidecar = sidecar
        self.programs = programs
        self.python = python
        self.on_line = on_line
        self.compose = pathlib.Path(compose)
        self.services = self.compose / "services"
        self.environment = {**env_of(self.compose, env_file), **(environment or {})}
        self.identity = postgres.unprivileged()
        self.data = self.folder / "postgres" / "data"
        self.run = self.folder / "postgres" / "run"
        self.processes = {}
        self.define()

    # What there is.

    def define(self):
        self.processes = {
            "postgres": self.manage(
                "postgres", self.postgres_command(), stop_signal=signal.SIGINT, lower=True
            ),
            "pgbouncer": self.manage(
                "pgbouncer",
                ["sh", "-c", 'sh "$0/generate.sh" "$1" && exec "$2" "$1/pgbouncer.ini"'],
                self.compose / "pgbouncer",
                self.folder / "pgbouncer",
                "/usr/sbin/pgbouncer",
                environment=self.pgbouncer_environment(),
                stop_signal=signal.SIGINT,
                lower=True,
            ),
            "redis": self.manage(
                "redis",
                ["sh", self.compose / "redis" / "start.sh"],
                "bind 127.0.0.1",
                f"port {self.ports.redis}",
                f"dir {self.folder / 'redis'}",
                environment={
                    "REDIS_CONF": str(self.compose / "redis" / "redis.conf"),
                    "REDIS_PASSWORD": self.environment.get("REDIS_PASSWORD", ""),
                },
            ),
            "sidecar": self.manage(
                "sidecar", [self.sidecar, "serve"], environment=self.sidecar_environment()
            ),
            **self.service_processes(),
        }

    def manage(self, name, command, *more, environment=None, lower=False, **options):
        identity = self.identity if lower else None
        return Managed(
            name,
            [*command, *more],
            environment or {},
            self.on_line,
            folder=options.pop("folder", self.folder),
            identity=identity,
            **options,
        )

    def postgres_command(self):
        return [
            self.programs / "bin" / "postgres",
            "-D",
            self.data,
            *("-p", str(self.ports.postgres)),
            *("-k", self.run),
            *("-c", "listen_addresses=127.0.0.1"),
        ]

    def pgbouncer_environment(self):
        names = [name for name in self.environment if name.startswith(("PGBOUNCER_", "POSTGRES_"))]
        return {
            **{name: self.environment[name] for name in names},
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(self.ports.postgres),
            "PGBOUNCER_LISTEN": "127.0.0.1",
            "PGBOUNCER_PORT": str(self.ports.pgbouncer),
        }

    def sidecar_environment(self):
        names = [name for name in self.environment if name.startswith("SIDECAR_")]
        return {
            **{name: self.environment[name] for name in names},
            "REDIS_PASSWORD": self.environment.get("REDIS_PASSWORD", ""),
            "SIDECAR_REDIS_URL": f"redis://127.0.0.1:{self.ports.redis}",
            "SIDECAR_LISTEN": f"127.0.0.1:{self.ports.sidecar}",
            "SIDECAR_HTTP": f"127.0.0.1:{self.ports.sidecar_http}",
        }

    def service_processes(self):
        return {name: self.service_process(name) for name in (*self.ports.services, "file-worker")}

    def service_process(self, name, port=None, **changes):
        """port, changes: another process of the service, with variables of its own."""
        command = self.service_command(name, port or self.ports.services.get(name))
        environment = {**self.environment_of(name), **changes}
        return self.manage(name, command, environment=environment, folder=self.services)

    def service_command(self, name, port):
        programs = pathlib.Path(self.python).parent
        if name == "file-worker":
            return [programs / "celery", "-A", "file_service", "worker", "--concurrency", "2"]
        folder = name.replace("-", "_")
        if name != "communication-service":
            return [programs / "gunicorn", *WEB, "-b", f"127.0.0.1:{port}", f"{folder}.wsgi"]
        options = (
            "--host=127.0.0.1",
            f"--port={port}",
            "--log-level=warning",
            "--timeout-graceful-shutdown=5",
        )
        return [programs / "uvicorn", *options, f"{folder}.asgi:application"]

    def environment_of(self, name):
        folder = "file_service" if name == "file-worker" else name.replace("-", "_")
        own = env_of(self.services / folder, self.environment.get("ENV_FILE") or ".env")
        environment = service_environment(self.environment, own, self.ports, self.folder / "media")
        return {**environment, "PYTHONPATH": str(self.services)}

    # Life.

    def prepare(self):
        for name in ("postgres", "postgres/run", "pgbouncer", "redis", "media"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        if self.identity:
            for name in ("postgres", "postgres/run", "pgbouncer"):
                os.chown(self.folder / name, *self.identity)
        (self.folder / "pgbouncer").chmod(0o700)
        if not (self.data / "PG_VERSION").exists():
            user, password = self.environment["POSTGRES_USER"], self.environment["POSTGRES_PASSWORD"]
            postgres.initialise(self.programs, self.data, user, password, self.run_lowered)

    def run_lowered(self, command):
        command = [str(part) for part in command]
        result = subprocess.run(
            command, preexec_fn=become(self.identity), cwd=self.folder, capture_output=True, text=True
        )
        if result.returncode:
            raise StartFailed(f"{command[0]}: {result.stdout}{result.stderr}")

    def start(self):
        self.prepare()
        self.start_and_wait("postgres", self.ports.postgres)
        self.start_and_wait("pgbouncer", self.ports.pgbouncer)
        self.start_and_wait("redis", self.ports.redis)
        self.start_and_wait("sidecar", self.ports.sidecar)
        self.migrate()
        for name, process in self.processes.items():
            if name.endswith(("-service", "-worker")):
                process.start()
        for name, port in self.ports.services.items():
            self.wait(lambda: answers(port), f"{name} does not listen")

    def start_and_wait(self, name, port):
        process = self.processes[name]
        process.start()
        # An end at the very start is an error of the configuration: its own words stand above.
        self.wait(lambda: answers(port) or process.starts > 2, f"{name} does not listen")
        if process.starts > 2:
            raise StartFailed(f"{name} does not start: its last lines stand above")

    def wait(self, condition, message):
        deadline = time.monotonic() + READY_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise StartFailed(message)
            time.sleep(0.05)

    def migrate(self):
        """The one-shot of the compose file."""
        environment = {
            **os.environ,
            **self.environment_of("user-service"),
            "POSTGRES_SOCKET": str(self.run),
            "POSTGRES_PORT": str(self.ports.postgres),
        }
        for command in (["prepare_database.py"], ["-m", "hdms_common.migrate_all"]):
            with subprocess.Popen(
                [self.python, *command],
                cwd=self.services,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as process:
                for line in process.stdout:
                    self.on_line("migrate", line.rstrip("\n"))
            if process.returncode:
                raise StartFailed(f"migrate: {command[-1]} ended with status {process.returncode}")

    def stop(self):
        for name in reversed(self.processes):
            self.processes[name].stop()
