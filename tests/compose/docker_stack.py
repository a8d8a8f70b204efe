"""The stack in containers, by Debian's docker-compose on the shipped file."""

import contextlib
import json
import subprocess
import time

from compose.native.settings import WEB_PORTS as INNER_PORTS
from environment import ROOT, SERVICES

from support.polling import eventually
from support.processes import free_port

QUICK = "docker-compose.quick.yml"
CONTAINERS = ("postgres", "pgbouncer", "redis", "sidecar", *SERVICES, "file-worker")
# Engine 20 has no start_interval: with the shipped 30 s every `up` would wait for minutes. What the shipped
# intervals mean is measured by a test of its own. The worker keeps them: its check loads all of Celery.
# The services' checks start a Python each: asked less often, they leave the processors to the tests.
SECONDS = {**dict.fromkeys(CONTAINERS, 1), **dict.fromkeys(SERVICES, 5), "file-worker": 30}
QUICK_TEXT = "services:\n" + "".join(
    f"  {name}: {{healthcheck: {{interval: {seconds}s, timeout: 10s, retries: 60}}}}\n"
    for name, seconds in SECONDS.items()
)
READY_SECONDS = 120


class DockerStack:
    kind = "docker"

    def __init__(self, engine, environment, files=("docker-compose.yml", QUICK)):
        self.engine = engine
        self.environment = environment
        self.files = files
        (environment.compose / QUICK).write_text(QUICK_TEXT)

    def compose(self, *arguments, check=True, timeout=400):
        named = ["--env-file", self.environment.env_file] if self.environment.env_file != ".env" else []
        files = (part for file in self.files for part in ("-f", file))
        command = ["docker-compose", *named, *files, *arguments]
        result = subprocess.run(
            command,
            cwd=self.environment.compose,
            env=self.engine.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and result.returncode:
            raise AssertionError(f"{' '.join(command)}:\n{result.stdout[-3000:]}{result.stderr[-3000:]}")
        return result

    # Life.

    def up(self):
        try:
            self.compose("up", "-d")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.all_logs()}") from None
        self.wait_healthy()

    def wait_healthy(self, *names):
        for name in names or CONTAINERS[:-1]:
            self.wait_one(name)

    def wait_one(self, name):
        def healthy_or_failing():
            return self.health(name) == "healthy" or self.restarts(name) > 2

        eventually(healthy_or_failing, READY_SECONDS, 0.2, message=f"{name} does not become healthy")
        assert self.health(name) == "healthy", f"{name} ends again and again:\n{self.tail(name)}"

    def down(self, volumes=False):
        self.compose("down", "--timeout", "10", *(["--volumes"] if volumes else []))

    def close(self):
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self.compose("down", "--volumes", "--timeout", "5")
        self.environment.remove()

    def container(self, name):
        return f"{self.environment.project}_{name}_1"

    def inspect(self, name):
        return json.loads(self.engine.run("inspect", self.container(name)).stdout)[0]

    def health(self, name):
        return self.inspect(name)["State"].get("Health", {}).get("Status")

    def running(self, name):
        return self.inspect(name)["State"]["Running"]

    def start(self, name):
        self.engine.run("start", self.container(name))

    def stop(self, name):
        self.engine.run("stop", "--time", "20", self.container(name))

    def restart(self, name):
        self.engine.run("restart", "--time", "20", self.container(name))

    def kill(self, name):
        """The container's process dies; nothing starts it again but start()."""
        self.engine.run("kill", self.container(name))

    def cut(self, name, network):
        self.engine.run(
            "network", "disconnect", f"{self.environment.project}_{network}", self.container(name)
        )

    def mend(self, name, network):
        place = f"{self.environment.project}_{network}"
        self.engine.run("network", "connect", "--alias", name, place, self.container(name))

    @contextlib.contextmanager
    def beside(self, name, **changes):
        """Another container of a service, with variables of its own: (the name of its log, its port)."""
        beside, port = f"{name}-beside", free_port()
        options = [part for item in changes.items() for part in ("-e", "=".join(item))]
        if name in INNER_PORTS:
            options += ["-p", f"127.0.0.1:{port}:{INNER_PORTS[name]}"]
        self.compose("run", "-d", "--no-deps", "--name", self.container(beside), *options, name)
        try:
            yield beside, port
        finally:
            self.engine.run("rm", "-f", self.container(beside))

    @contextlib.contextmanager
    def broken_postgres(self):
        """PostgreSQL alone, with a command it refuses; the file is mended afterwards."""
        file = self.environment.compose / QUICK
        file.write_text("services: {postgres: {command: [postgres, -c, shared_buffers=nonsense]}}")
        self.compose("up", "-d", "postgres")
        try:
            yield
        finally:
            file.write_text(QUICK_TEXT)

    # Looking.

    def logs(self, name):
        result = self.engine.run("logs", self.container(name), check=False)
        return result.stdout + result.stderr

    def tail(self, name, lines=25):
        return "\n".join(self.logs(name).splitlines()[-lines:])

    def all_logs(self):
        return "\n".join(f"--- {name}\n{self.tail(name, 12)}" for name in (*CONTAINERS, "migrate"))

    def execute(self, name, *command, check=True, environment=None):
        extra = [part for item in (environment or {}).items() for part in ("--env", "=".join(item))]
        return self.engine.run("exec", *extra, self.container(name), *command, check=check)

    def manage(self, service, *arguments, check=True, environment=None):
        command = ("python", f"{service.replace('-', '_')}/manage.py", *arguments)
        return self.execute(service, *command, check=check, environment=environment)

    def redis_direct(self, *arguments):
        """Past the sidecar, as nobody but Redis's own container can."""
        password = self.environment.values.get("REDIS_PASSWORD", "")
        extra = {"REDISCLI_AUTH": password} if password else {}
        return self.execute("redis", "redis-cli", *arguments, environment=extra).stdout.strip()

    def started_at(self, name):
        return self.inspect(name)["State"]["StartedAt"]

    def restarts(self, name):
        return self.inspect(name)["RestartCount"]

    def migrate_log(self):
        return self.logs("migrate")

    def seconds_since_start(self, name):
        output = self.engine.run("inspect", "--format", "{{.State.StartedAt}}", self.container(name)).stdout
        moment = subprocess.run(
            ["date", "-d", output.strip(), "+%s.%N"], capture_output=True, text=True, check=True
        )
        return time.time() - float(moment.stdout)


def build(engine, images):
    """The project's own images, by the shipped file's build sections, upon the stand-ins."""
    own = {
        "SIDECAR_IMAGE": "hdms-test/sidecar",
        "PGBOUNCER_IMAGE": "hdms-test/pgbouncer",
        "SERVICES_IMAGE": "hdms-test/services",
        "SIDECAR_PREBUILT": "build/image/sidecar",
    }
    environment = {
        **engine.environment,
        **images,
        **own,
        "POSTGRES_PASSWORD": "unused",
        "ENV_FILE": ".env.example",
    }
    command = [
        "docker-compose",
        "-f",
        "compose/docker-compose.yml",
        "build",
        "sidecar",
        "pgbouncer",
        "migrate",
    ]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, f"{result.stdout[-4000:]}{result.stderr[-2000:]}"
    return {**images, **own}
