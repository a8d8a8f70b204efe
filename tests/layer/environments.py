"""The two Pythons that the layers are tested with: the newest releases, and those of Debian 12.

The newest is the environment pytest runs in. The other is installed once under build/ and again when its list
changes; programs run in either with tests/ and the package of this project on their path.
"""

import enum
import fcntl
import functools
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from clients.process_group import ProcessGroup

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "channels" / "python"
OLD_LIST = ROOT / "tests" / "layer" / "debian12.txt"
OLD_PLACE = ROOT / "build" / "layer-debian12"
INSTALL_SECONDS = 300


class Environment(enum.Enum):
    newest = "newest"
    debian12 = "debian12"

    @property
    def python(self):
        return sys.executable if self is Environment.newest else str(old_python())


@functools.cache
def old_python():
    python = OLD_PLACE / "bin" / "python"
    described = OLD_LIST.read_text() + sys.version + str(OLD_PLACE)
    wanted = hashlib.sha256(described.encode()).hexdigest()
    stamp = OLD_PLACE / "stamp"
    OLD_PLACE.parent.mkdir(exist_ok=True)
    with open(OLD_PLACE.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(OLD_PLACE, ignore_errors=True)
            install(python)
            stamp.write_text(wanted)
    return python


def install(python):
    base = pathlib.Path(sys.base_prefix) / "bin" / "python3"
    for command in (
        [base, "-m", "venv", OLD_PLACE],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", OLD_LIST],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        if done.returncode:
            pytest.fail(
                f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-2000:]}", pytrace=False
            )


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
