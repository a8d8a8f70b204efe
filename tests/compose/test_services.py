"""The services' own tests (compose/services/*/tests), each suite in a process of its own, by run_tests.py."""

import os
import pathlib
import re
import subprocess

import pytest

from support.sidecar import binary

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = pathlib.Path(os.environ.get("HDMS_PYTHON", ROOT / "build" / "stack" / "venv" / "bin" / "python"))
SUITES = ("hdms_common", "user_service", "ticket_service", "communication_service", "file_service")
SECONDS = 300


@pytest.mark.timeout(SECONDS + 30)
@pytest.mark.parametrize("suite", SUITES)
def test_of_the_service_pass(suite):
    assert PYTHON.exists(), f"{PYTHON} is missing: ./dev test --stack makes it"
    done = subprocess.run(
        [PYTHON, ROOT / "compose" / "services" / "run_tests.py", suite],
        env={**os.environ, "SIDECAR_BIN": str(binary())},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"\d+ passed", done.stdout), done.stdout
