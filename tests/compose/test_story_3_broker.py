"""Story 3: as a developer I queue tasks that a worker carries out, and none is lost."""

import io
import re
import time

import http_client
import pytest

from support.polling import eventually

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
FINAL = ("done", "infected", "failed")


def picture(size=16):
    """A PNG, written by hand: a grey square."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = io.BytesIO()
    for _ in range(size):
        rows.write(b"\0" + b"\x80" * size)
    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows.getvalue())) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def finished(hdms, number, seconds=60):
    message = f"file {number} is not finished"
    return eventually(
        lambda: (found := hdms.file(number))["state"] in FINAL and found, seconds, 0.1, message=message
    )


def send(hdms, name, content, **options):
    answer = hdms.upload(name, content, **options)
    assert answer.status == 202, answer
    return answer.json()["id"]


def test_the_worker_is_connected(hdms):
    result = hdms.stack.execute("file-worker", *worker_health(hdms), check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert hdms.check("file-service", "broker")["ok"]


def worker_health(hdms):
    python = "python"
    if hdms.stack.kind == "native":
        python = hdms.stack.stack.python
    return python, "-m", "hdms_common.worker_health", "file_service"


def test_an_upload_is_queued_scanned_and_done(hdms):
    found = finished(hdms, send(hdms, "note.txt", b"nothing bad"))
    assert found["state"] == "done"


def test_the_test_virus_is_found(hdms):
    assert finished(hdms, send(hdms, "eicar.com", EICAR))["state"] == "infected"


def test_a_picture_is_converted(hdms):
    found = finished(hdms, send(hdms, "dot.png", picture(), kind="image/png"))
    assert found["state"] == "done", found


def test_a_restarted_worker_reconnects_and_works_on(hdms):
    hdms.stack.restart("file-worker")
    assert finished(hdms, send(hdms, "after.txt", b"after the restart"))["state"] == "done"


@pytest.mark.timeout(400, func_only=True)
def test_no_task_is_lost_when_the_worker_is_killed_amid_them(hdms):
    """What a worker held that had only just begun comes back after the visibility timeout at the latest."""
    numbers = [send(hdms, f"{index}.txt", b"x" * 1000) for index in range(20)]
    hdms.stack.kill("file-worker")
    numbers += [send(hdms, f"late-{index}.txt", b"y" * 1000) for index in range(20)]
    hdms.stack.start("file-worker")
    states = {finished(hdms, number, 240)["state"] for number in numbers}
    assert states == {"done"}


def test_what_a_killed_worker_held_runs_again_within_seconds(hdms, table):
    """By the sidecar, which sees that the worker is gone; Celery's own visibility timeout is two minutes."""
    # Two heartbeats of it: one that dies before them looks like the one that comes after it.
    eventually(lambda: hdms.stack.seconds_since_start("file-worker") > 10, 20)
    numbers = [send(hdms, f"large-{index}.png", picture(6000), kind="image/png") for index in range(2)]
    eventually(
        lambda: {hdms.file(number)["state"] for number in numbers} == {"converting"},
        40,
        0.02,
        message="the pictures are not both at work",
    )
    hdms.stack.kill("file-worker")
    began = time.monotonic()
    held = hdms.redis(2).hlen("unacked")
    assert held >= 2, "the worker had acknowledged before it was done"
    assert all(hdms.file(number)["state"] not in FINAL for number in numbers)
    hdms.stack.start("file-worker")
    assert {finished(hdms, number)["state"] for number in numbers} == {"done"}
    seconds = time.monotonic() - began
    table.append(f"tasks of a killed worker done by another after {seconds:.1f} s (restore, not 120 s)")
    assert seconds < 60
    restored = metric(hdms, "sidecar_broker_orphans_restored_total")
    assert restored >= 2, "it was not the sidecar that gave them back"


def metric(hdms, name):
    text = http_client.get(hdms.port("sidecar-http"), "/metrics").body.decode()
    return sum(
        float(line.rpartition(" ")[2]) for line in text.splitlines() if re.match(rf"{name}[{{ ]", line)
    )


def test_no_task_is_lost_when_redis_restarts_amid_them(hdms):
    numbers = [send(hdms, f"{index}.txt", b"x" * 1000) for index in range(10)]
    hdms.stack.restart("redis")
    hdms.wait_connected(services=["file-service"])
    numbers += [send(hdms, f"late-{index}.txt", b"y" * 1000) for index in range(10)]
    states = {finished(hdms, number, 100)["state"] for number in numbers}
    assert states == {"done"}
