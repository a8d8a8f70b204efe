"""The fan-out tester against a Redis: it ends by itself and its figures are those of what happened."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from bench.proxy import processes

TESTER = Path(os.environ.get("SIDECAR_BENCH", Path(__file__).resolve().parents[2] / "build/sidecar-bench"))
RUN_SECONDS_MAX = 60

pytestmark = pytest.mark.skipif(not TESTER.is_file(), reason="no build/sidecar-bench: ./dev build bench")


@pytest.fixture
def redis(tmp_path):
    server = processes.redis_server(tmp_path)
    server.wait_until_it_serves()
    yield server
    server.stop()


def fanout(*arguments):
    command = [TESTER, "fanout", *arguments]
    return subprocess.run(
        [str(each) for each in command], capture_output=True, text=True, timeout=RUN_SECONDS_MAX
    )


@pytest.mark.parametrize("pace", [("--rate", 200), ("--saturate", 2), ("--rate", 400, "--burst", 10)])
def test_every_message_reaches_every_subscriber(redis, tmp_path, pace):
    report, page = tmp_path / "report.json", tmp_path / "report.html"
    done = fanout(
        "--run", f"direct=pubsub@{redis.port}", "--members", 7, "--messages", 50, "--publishers", 3, *pace,
        "--count-bytes", redis.port, "--json", report, "--html", page,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (step,) = json.loads(report.read_text())["steps"]
    assert step["sent"] == 50
    assert step["delivered"] == step["expected"] == 350
    assert step["latency"]["count"] == 350
    assert step["last_member"]["count"] == 50
    assert (step["lost"], step["duplicated"], step["reordered"], step["strays"]) == (0, 0, 0, 0)
    assert step["cpu_us_per_delivery"]["redis-server"] > 0
    assert 50 * 7 * 200 / 50 < step["redis_bytes_per_message"] < 7 * 400
    assert "0/0/0" in done.stdout
    assert page.read_text().count("<svg") == 6


def test_a_ramp_tries_every_rate_and_tells_the_knee(redis):
    done = fanout(
        "--run", f"direct=pubsub@{redis.port}", "--members", 2, "--ramp", "50:200:2", "--seconds", 0.3
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("direct")]
    assert lines[0][1] == "50/s"
    assert lines[-1][1] == "knee:"


@pytest.mark.parametrize("wrong", ["nothing", "a=b@1", "a=pubsub@0", "a.b=pubsub@1"])
def test_what_cannot_be_run_is_said_in_a_line(wrong):
    done = fanout("--run", wrong)
    assert done.returncode == 1
    assert done.stderr.startswith("sidecar-bench: --run ")
    assert done.stderr.count("\n") == 1
