"""An environment of the stack: a copy of compose/ in which every .env.example has been copied to .env, as the
README says, and a few values changed. Nothing of the clone is written to. A second one has env files
of another name in the same folder."""

import pathlib
import secrets
import shutil
import subprocess
import tempfile

from compose.native.settings import read_env
from engine import PROJECT

from support.processes import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = ("user-service", "ticket-service", "communication-service", "file-service")
PORTS = {
    "pgbouncer": "PGBOUNCER_HOST_PORT",
    "sidecar": "SIDECAR_HOST_PORT",
    "sidecar-http": "SIDECAR_HTTP_HOST_PORT",
    "user-service": "USER_SERVICE_HOST_PORT",
    "ticket-service": "TICKET_SERVICE_HOST_PORT",
    "communication-service": "COMMUNICATION_SERVICE_HOST_PORT",
    "file-service": "FILE_SERVICE_HOST_PORT",
}


def files_of(folder):
    command = ["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", folder]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def copy_of_compose():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="stack-"))
    folder.chmod(0o755)
    for name in files_of("compose"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    return folder


class Environment:
    """beside: the environment whose folder this one shares. env_file: the name of its own files there."""

    def __init__(self, beside=None, env_file=".env", **values):
        self.env_file = env_file
        self.owned = beside is None
        self.folder = beside.folder if beside else copy_of_compose()
        self.compose = self.folder / "compose"
        for example in self.compose.rglob(".env.example"):
            shutil.copy(example, example.with_name(env_file))
        self.set(
            COMPOSE_PROJECT_NAME=f"{PROJECT}{secrets.token_hex(3)}",
            ENV_FILE=env_file,
            **{name: str(free_port()) for name in PORTS.values()},
            **values,
        )

    def set(self, folder=".", **values):
        """Changes lines of a .env, as a person with an editor does."""
        file = self.compose / folder / self.env_file
        lines = [line for line in file.read_text().splitlines() if line.partition("=")[0] not in values]
        file.write_text("\n".join([*lines, *(f"{name}={value}" for name, value in values.items())]) + "\n")

    def __getitem__(self, name):
        return self.values[name]

    @property
    def values(self):
        return read_env(self.compose / self.env_file)

    @property
    def project(self):
        return self["COMPOSE_PROJECT_NAME"]

    def port(self, name):
        return int(self[PORTS[name]])

    def remove(self):
        if self.owned:
            shutil.rmtree(self.folder, ignore_errors=True)
