"""A second Python environment with the releases that Debian 12 ships, beside the one pytest runs in.

It lies under build/, is filled once from a list of pins, and again when the list changes.
"""

import fcntl
import functools
import hashlib
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
INSTALL_SECONDS = 300


@functools.cache
def installed(pins, name):
    """The python of build/NAME with what the file `pins` lists."""
    place = ROOT / "build" / name
    python = place / "bin" / "python"
    described = pins.read_text() + sys.version + str(place)
    wanted = hashlib.sha256(described.encode()).hexdigest()
    stamp = place / "stamp"
    place.parent.mkdir(exist_ok=True)
    with open(place.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(place, ignore_errors=True)
            _install(place, python, pins)
            stamp.write_text(wanted)
    return str(python)


def _install(place, python, pins):
    base = pathlib.Path(sys.base_prefix) / "bin" / "python3"
    for command in (
        [base, "-m", "venv", place],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", pins],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        if done.returncode:
            pytest.fail(
                f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-2000:]}", pytrace=False
            )
