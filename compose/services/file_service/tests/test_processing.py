"""What the worker does, called as the worker calls it."""

import contextlib
import io
import time
import uuid
import zlib

import pytest
from celery.exceptions import Reject, Retry
from django.core.management import call_command
from PIL import Image

from file_service import recovery, storage, tasks
from file_service.models import State, Upload
from file_service.progress import Progress
from file_service.recovery import requeue_unfinished
from file_service.scanner import EICAR
from file_service.tasks import process
from file_service.tests.clamd import Clamd
from hdms_common import connections
from hdms_common.failures import Unavailable

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kept():
    def keep(content, **values):
        upload_id = uuid.uuid4()
        size, sha256 = storage.store(upload_id, [content])
        return Upload.objects.create(
            id=upload_id, name="file", owner="ann", size=size, sha256=sha256, **values
        )

    return keep


@pytest.fixture
def processed(queue):
    def run(upload):
        result = process.apply((str(upload.pk),), task_id=upload.task_id)
        upload.refresh_from_db()
        return result

    return run


@contextlib.contextmanager
def delivered(upload_id, retries):
    """As if a worker had got the message after so many retries."""
    process.push_request(
        args=(str(upload_id),), kwargs={}, retries=retries, called_directly=False, id=f"process-{upload_id}"
    )
    try:
        yield
    finally:
        process.pop_request()


def image(width, height, kind="PNG", mode="RGB", **options):
    stream = io.BytesIO()
    Image.new(mode, (width, height), "red" if mode == "RGB" else None).save(stream, kind, **options)
    return stream.getvalue()


def test_a_clean_file_is_done(kept, processed):
    upload = kept(b"nothing special")
    assert processed(upload).get() == "done"
    assert (upload.state, upload.percent, upload.scanned_by) == (State.done, 100, "signature")


def test_an_infected_file_is_removed(kept, processed, stored):
    upload = kept(EICAR)
    processed(upload)
    assert (upload.state, upload.detail) == (State.infected, "EICAR-Test-File")
    assert stored() == []


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGBA"), ("JPEG", "RGB"), ("GIF", "P"), ("TIFF", "CMYK")])
def test_an_image_is_converted_in_two_sizes(kept, processed, kind, mode):
    upload = kept(image(2000, 1000, kind, mode))
    processed(upload)
    assert (upload.state, upload.image_format, upload.width, upload.height) == (State.done, kind, 2000, 1000)
    sizes = []
    for name in (storage.CONVERTED, storage.THUMBNAIL):
        with Image.open(storage.path_of(upload.pk, name)) as made:
            assert made.format == "WEBP"
            sizes.append(made.size)
    assert sizes == [(1600, 800), (256, 128)]


def test_an_image_lies_as_its_camera_meant(kept, processed):
    exif = Image.Exif()
    exif[0x0112] = 6
    upload = kept(image(400, 200, "JPEG", exif=exif))
    processed(upload)
    with Image.open(storage.path_of(upload.pk, storage.CONVERTED)) as made:
        assert made.size == (200, 400)


def test_a_damaged_image_has_failed_and_says_why(kept, processed):
    upload = kept(image(500, 500)[:-300])
    processed(upload)
    assert upload.state == State.failed and "damaged" in upload.detail


def test_an_image_larger_than_memory_is_not_opened(kept, processed):
    huge = bytearray(image(1, 1))
    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
    upload = kept(bytes(huge))
    processed(upload)
    assert upload.state == State.failed


def test_progress_grows(kept, processed, monkeypatch):
    seen = []
    write = Progress.write

    def watched(self, **values):
        seen.append((str(values["state"]), values["percent"]))
        write(self, **values)

    monkeypatch.setattr(Progress, "write", watched)
    processed(kept(image(1200, 1200) + b"\0" * 1_000_000))
    percents = [percent for _, percent in seen]
    assert percents == sorted(percents) and percents[-1] == 100 and len(set(percents)) > 6
    assert [state for state, _ in seen if state == "scanning"] and seen[-1][0] == "done"


def test_a_message_delivered_twice_changes_nothing(kept, processed):
    upload = kept(image(100, 100))
    processed(upload)
    before = upload.updated_at
    assert processed(upload).get() == "done"
    assert upload.updated_at == before


def test_a_worker_that_died_in_between_is_made_good(kept, processed):
    upload = kept(image(100, 100), state=State.converting, percent=72)
    processed(upload)
    assert (upload.state, upload.percent) == (State.done, 100)


def test_a_scanner_that_is_away_is_waited_for(kept, queue, settings):
    settings.HDMS_CLAMAV_HOST, settings.HDMS_CLAMAV_PORT = "127.0.0.1", 1
    upload = kept(b"unknown")
    with delivered(upload.pk, retries=0), pytest.raises(Retry):
        process.run(str(upload.pk))
    upload.refresh_from_db()
    assert upload.state == State.scanning
    assert queue.llen("celery") == 1


def test_what_the_scanner_never_takes_has_failed(kept, processed, settings):
    upload = kept(b"x" * 2_000_000)
    with Clamd(lambda data: "stream: OK", limit=100_000) as clamd:
        settings.HDMS_CLAMAV_HOST, settings.HDMS_CLAMAV_PORT = "127.0.0.1", clamd.port
        processed(upload)
    assert upload.state == State.failed and "StreamMaxLength" in upload.detail


def test_a_scanner_that_stays_away_ends_in_failure(kept, queue, settings):
    settings.HDMS_CLAMAV_HOST, settings.HDMS_CLAMAV_PORT = "127.0.0.1", 1
    upload = kept(b"unknown")
    with delivered(upload.pk, retries=tasks.TRIES_MAX):
        assert process.run(str(upload.pk)) == State.failed
    upload.refresh_from_db()
    assert upload.state == State.failed and "gave up" in upload.detail


def test_a_message_without_its_upload_is_waited_for_then_dropped(queue):
    missing = str(uuid.uuid4())
    with delivered(missing, retries=0), pytest.raises(Retry):
        process.run(missing)
    assert queue.llen("celery") == 1
    with delivered(missing, retries=tasks.APPEARS_TRIES_MAX):
        assert process.run(missing) == "missing"


def test_a_retry_that_the_broker_does_not_take_gives_the_message_back(kept, settings, monkeypatch):
    """Celery would drop it: the message of the retry is not there, and the first one would be gone."""
    settings.HDMS_CLAMAV_HOST, settings.HDMS_CLAMAV_PORT = "127.0.0.1", 1
    upload = kept(b"unknown")

    def refuse(*arguments, **options):
        raise ConnectionError("Connection refused")

    with delivered(upload.pk, retries=0), pytest.raises(Reject) as rejected:
        monkeypatch.setattr("celery.canvas.Signature.apply_async", refuse)
        process.run(str(upload.pk))
    assert rejected.value.requeue


def test_bytes_that_are_gone_are_said_to_be(kept, processed):
    upload = kept(b"here")
    storage.remove(upload.pk)
    processed(upload)
    assert upload.state == State.failed and "MEDIA_ROOT" in upload.detail


def test_unfinished_uploads_are_queued_again(kept, queue, capsys):
    kept(b"forgotten")
    kept(b"over", state=State.done)
    call_command("requeue_unfinished", "--older-than", "600")
    assert queue.llen("celery") == 0
    call_command("requeue_unfinished", "--older-than", "0")
    assert queue.llen("celery") == 1
    assert "1 queued again" in capsys.readouterr().out
    assert requeue_unfinished(process) == 0


def test_what_the_broker_refuses_is_queued_at_the_next_look(kept, queue):
    kept(b"forgotten")
    connections.broker.lost(ConnectionError("Connection refused"))
    connections.broker.next_try = float("inf")
    with pytest.raises(Unavailable):
        requeue_unfinished(process, stale_seconds=0)
    connections.broker.next_try = 0.0
    assert requeue_unfinished(process, stale_seconds=0) == 1
    assert queue.llen("celery") == 1


def test_a_worker_looks_now_and_then(kept, queue, monkeypatch):
    monkeypatch.setattr(recovery, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(recovery.requeue_unfinished, "__defaults__", (0,))
    looking = recovery.Looking(process)
    looking.start()
    try:
        kept(b"forgotten")
        deadline = time.monotonic() + 20
        while not queue.llen("celery") and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        looking.ended.set()
        looking.join(10)
    assert queue.llen("celery") >= 1 and not looking.is_alive()
