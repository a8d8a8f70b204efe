"""Scenario programs in other languages: built into build/clients, one scenario per run.

A toolchain that is missing skips the tests aloud; a build that fails, fails them.
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "clients"
SECONDS = 60


def need(tool, oldest, version_arguments=("--version",)):
    """Skips when the tool is missing or older than (major, minor)."""
    path = shutil.which(tool)
    if not path:
        pytest.skip(f"{tool} is not installed: its clients are not tested here")
    text = subprocess.run([path, *version_arguments], capture_output=True, text=True, check=True).stdout
    found = tuple(int(number) for number in re.search(r"(\d+)\.(\d+)", text).groups())
    if found < oldest:
        pytest.skip(f"{tool} {found} is older than its clients support {oldest}: they are not tested here")


def run(command, directory, environment=None, seconds=600):
    done = subprocess.run(
        [str(part) for part in command],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, (
        f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    )
    return done.stdout


@contextlib.contextmanager
def locked(directory):
    """One build at a time, also between two test runs."""
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def node_program(name):
    need("node", (20, 0))
    need("npm", (9, 0))
    directory = BUILD / "node"
    with locked(directory):
        sources = HERE / "node"
        for source in sources.iterdir():
            if source.is_file():
                shutil.copy2(source, directory / source.name)
        wanted = hashlib.sha256((sources / "package-lock.json").read_bytes()).hexdigest()
        stamp = directory / "installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            run(["npm", "ci", "--no-progress"], directory)
            stamp.write_text(wanted)
    return ["node", str(directory / f"{name}.mjs")]


def go_program(name):
    need("go", (1, 26), ["version"])
    directory = BUILD / "go"
    with locked(directory):
        run(
            ["go", "build", "-p", "2", "-o", directory / name, f"./{name}"],
            HERE / "go",
            {"GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"},
        )
    return [str(directory / name)]


def rust_program(name):
    need("cargo", (1, 88))
    directory = BUILD / "rust"
    with locked(directory):
        run(
            ["cargo", "build", "--quiet", "--locked", "-j2"],
            HERE / "rust",
            {"CARGO_TARGET_DIR": str(directory)},
        )
    return [str(directory / "debug" / name)]


def scenario_names(program):
    return run([*program, "--list"], HERE, seconds=SECONDS).split()


def run_scenario(program, name, stack, **environment):
    run([*program, name], HERE, {**stack.environment, **environment}, SECONDS)
