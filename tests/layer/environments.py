"""The two Pythons that the layers are tested with: the newest releases, and those of Debian 12.

The newest is the environment pytest runs in. Programs run in either with tests/ and the package of this
project on their path.
"""

import enum
import os
import pathlib
import subprocess
import sys

import pytest

from clients.process_group import ProcessGroup
from support import debian_python

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "channels" / "python"
OLD_LIST = ROOT / "tests" / "layer" / "debian12.txt"


class Environment(enum.Enum):
    newest = "newest"
    debian12 = "debian12"

    @property
    def python(self):
        if self is Environment.newest:
            return sys.executable
        return debian_python.installed(OLD_LIST, "layer-debian12")


def path_of(program_environment):
    """The variables with which a program finds tests/, this suite and the Django package."""
    places = [ROOT / "tests", PACKAGE]
    return {**program_environment, "PYTHONPATH": os.pathsep.join(map(str, places))}


class Program(ProcessGroup):
    """A Python program of this suite in one of the environments, by its module name: `layer.NAME`."""

    def __init__(self, environment, module, *arguments, **variables):
        super().__init__(module.replace(".", "-"))
        self.environment = environment
        self.spawn_group(
            [environment.python, "-m", module, *map(str, arguments)],
            path_of({name: str(value) for name, value in variables.items()}),
        )

    def finish(self, seconds=60):
        """Waits for its end, which must be a success; returns what it printed."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{self.name} did not end within {seconds} s:\n{self.log_tail()}")
        assert status == 0, f"{self.name} ended with {status}:\n{self.log_tail(80)}"
        return self.log()
