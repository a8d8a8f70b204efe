"""The services' own tests (compose/services/*/tests), each suite in a process of its own, by run_tests.py."""

import os
import pathlib
import re
import subprocess

import pytest

from support.sidecar import binary

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = pathlib.Path(os.environ.get("HDMS_PYTHON", ROOT / "build" / "stack" / "venv" / "bin" / "python"))
SUITES = (
    ("hdms_common", "sidecar"),
    ("user_service", "sidecar"),
    ("ticket_service", "sidecar"),
    ("communication_service", "sidecar"),
    ("communication_service", "channels_redis"),
    ("file_service", "sidecar"),
)
SECONDS = 300


@pytest.mark.timeout(SECONDS + 30)
@pytest.mark.parametrize(("suite", "layer"), SUITES)
def test_of_the_service_pass(suite, layer):
    assert PYTHON.exists(), f"{PYTHON} is missing: ./dev test --stack makes it"
    done = subprocess.run(
        [PYTHON, ROOT / "compose" / "services" / "run_tests.py", suite],
        env={**os.environ, "SIDECAR_BIN": str(binary()), "CHANNEL_LAYER": layer},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"\d+ passed", done.stdout), done.stdout
