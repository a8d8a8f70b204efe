"""The application under real servers: processes of Daphne or of uvicorn, each on a unix socket."""

import contextlib
import enum
import json
import pathlib
import socket

from layer.environments import Environment, Program
from support import eventually

APPLICATION = "layer.app.asgi:application"


class Server(enum.Enum):
    daphne = "daphne"
    uvicorn = "uvicorn"

    def arguments(self, path):
        if self is Server.daphne:
            return ("-u", path, APPLICATION)
        return (
            "--uds",
            path,
            "--ws",
            "websockets",
            "--lifespan",
            "off",
            "--log-level",
            "warning",
            APPLICATION,
        )


class Deployment:
    """A server process for each of `configs`: the CONFIG of its channel layer."""

    def __init__(self, server, backend, configs, directory):
        self.directory = pathlib.Path(directory)
        self.crashes_file = self.directory / "crashes"
        self.crashes_file.touch()
        self.paths = [str(self.directory / f"server-{n}") for n in range(len(configs))]
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as building:
            self.programs = [
                building.enter_context(self._start(server, backend, config, path))
                for config, path in zip(configs, self.paths)
            ]
            for path, program in zip(self.paths, self.programs):
                wait_listening(path, program)
            self._stack = building.pop_all()

    def _start(self, server, backend, config, path):
        layer = {"BACKEND": backend, "CONFIG": config}
        return Program(
            Environment.newest,
            server.value,
            *server.arguments(path),
            LAYER=json.dumps(layer),
            CRASHES=self.crashes_file,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def crashes(self):
        """What consumers ended with, a line each."""
        return self.crashes_file.read_text().splitlines()

    def log_tails(self):
        return "\n".join(program.log_tail(60) for program in self.programs)


def wait_listening(path, program):
    def listens():
        assert program.running, f"the server ended:\n{program.log_tail()}"
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.connect(path)
            return True
        return False

    eventually(listens, 30, interval=0.05, message=f"the server does not listen:\n{program.log_tail()}")
