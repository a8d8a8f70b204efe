"""The stack as processes of this machine, by the same code as `./dev stack`."""

import contextlib
import os
import pathlib
import subprocess
import threading
import time

from compose.native import postgres
from compose.native.settings import Ports
from compose.native.stack import Stack
from environment import PORTS, ROOT

from support.polling import eventually
from support.processes import free_port
from support.sidecar import binary

PYTHON = ROOT / "build" / "stack" / "venv" / "bin" / "python"
PROGRAMS = pathlib.Path("/var/cache/sidecar-stack/postgresql")


class NativeStack:
    kind = "native"

    def __init__(self, environment):
        self.environment = environment
        self.lines = []
        self.lock = threading.Lock()
        published = {environment.port(use) for use in PORTS}
        self.ports = Ports(
            lambda wanted, _: wanted if wanted in published else free_port(), environment.values
        )
        self.stack = None

    def _make(self):
        return Stack(
            self.environment.folder / self.environment.project,
            self.ports,
            sidecar=binary(),
            programs=postgres.fetch(programs_folder()),
            python=PYTHON,
            on_line=self._note,
            compose=self.environment.compose,
            env_file=self.environment.env_file,
        )

    def _note(self, name, line):
        with self.lock:
            self.lines.append((name, line))

    # Life.

    def up(self):
        """Also again, after a change of the environment: what runs is replaced."""
        if self.stack:
            self.stack.stop()
        self.stack = self._make()
        self.stack.folder.mkdir(exist_ok=True)
        self.stack.folder.chmod(0o755)
        try:
            self.stack.start()
        except Exception as error:
            raise AssertionError(f"{error}\n{self.all_logs()}") from None

    def wait_healthy(self, *names):
        for name in names:
            eventually(lambda: self.running(name), 30, message=name)

    def down(self, volumes=False):
        self.stack.stop()

    def close(self):
        if self.stack:
            with contextlib.suppress(OSError):
                self.stack.stop()
        self.environment.remove()

    def process(self, name):
        return self.stack.processes[name]

    def running(self, name):
        return self.process(name).running

    def start(self, name):
        self.process(name).start()

    def stop(self, name):
        self.process(name).stop()

    def restart(self, name):
        self.stop(name)
        self.start(name)

    def kill(self, name):
        self.process(name).kill()

    @contextlib.contextmanager
    def beside(self, name, **changes):
        """Another process of a service, with variables of its own: (the name of its log, its port)."""
        port = free_port()
        process = self.stack.service_process(name, port, **changes)
        process.name = f"{name}-beside"
        process.start()
        try:
            yield process.name, port
        finally:
            process.stop()

    @contextlib.contextmanager
    def broken_postgres(self):
        """PostgreSQL alone, with a configuration it refuses; what is written here is mended afterwards."""
        self.stack = self._make()
        self.stack.folder.mkdir(exist_ok=True)
        self.stack.folder.chmod(0o755)
        self.stack.prepare()
        file = self.stack.data / "postgresql.auto.conf"
        good = file.read_text()
        file.write_text(f"{good}shared_buffers = nonsense\n")
        self.process("postgres").start()
        try:
            yield
        finally:
            self.process("postgres").stop()
            file.write_text(good)

    # Looking.

    def logs(self, name):
        with self.lock:
            return "\n".join(line for who, line in self.lines if who == name)

    def tail(self, name, lines=25):
        return "\n".join(self.logs(name).splitlines()[-lines:])

    def all_logs(self):
        return "\n".join(f"--- {name}\n{self.tail(name, 12)}" for name in (*self.stack.processes, "migrate"))

    def migrate_log(self):
        return self.logs("migrate")

    def execute(self, name, *command, check=True, environment=None):
        result = subprocess.run(
            [str(part) for part in command],
            cwd=self.stack.services,
            env={**os.environ, **self.stack.environment_of(name), **(environment or {})},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert not check or result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
        return result

    def manage(self, service, *arguments, check=True, environment=None):
        command = (PYTHON, f"{service.replace('-', '_')}/manage.py", *arguments)
        return self.execute(service, *command, check=check, environment=environment)

    def redis_direct(self, *arguments):
        password = self.environment.values.get("REDIS_PASSWORD", "")
        environment = {**os.environ, **({"REDISCLI_AUTH": password} if password else {})}
        command = ["redis-cli", "-p", str(self.ports.redis), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True).stdout.strip()

    def restarts(self, name):
        return self.process(name).starts - 1

    def seconds_since_start(self, name):
        pid = self.process(name).process.pid
        ticks = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def programs_folder():
    if os.access(PROGRAMS.parent, os.W_OK) or os.geteuid() == 0:
        PROGRAMS.mkdir(parents=True, exist_ok=True)
        return PROGRAMS
    return ROOT / "build" / "stack" / "postgresql"
