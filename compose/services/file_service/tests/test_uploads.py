import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from file_service import storage
from file_service.models import Upload
from file_service.tasks import process
from hdms_common import connections

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def upload(client):
    def send(content=b"some text", name="note.txt", **fields):
        return client.post("/api/files/", {"file": SimpleUploadedFile(name, content), **fields})

    return send


@pytest.fixture
def broker_away(monkeypatch, settings):
    settings.HDMS_BROKER_RETRY_SECONDS = 0.3
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://127.0.0.1:1/2")


def test_an_upload_is_kept_and_queued(upload, queue, stored, client):
    answer = upload(owner="ann")
    assert answer.status_code == 202
    told = answer.json()
    assert (told["state"], told["percent"], told["size"], told["owner"]) == ("queued", 0, 9, "ann")
    assert answer.headers["Location"] == told["links"]["self"]
    assert queue.llen("celery") == 1
    assert stored() == [f"{told['id'].replace('-', '')}.original"]
    assert client.get(told["links"]["self"]).json()["sha256"] == told["sha256"]


def test_without_broker_503_and_nothing_half_saved(upload, broker_away, stored, caplog):
    for _ in range(3):
        answer = upload()
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.json()["error"] == "the broker is unavailable"
    assert stored() == []
    assert not Upload.objects.exists()
    (told,) = [record.getMessage() for record in caplog.records if record.name == "hdms.connections"]
    assert "broker unreachable" in told and "refused" in told and "Remedy" in told


def test_while_the_broker_is_known_to_be_away_nobody_waits_for_it(upload, queue, stored):
    connections.broker.lost(ConnectionError("Connection refused"))
    connections.broker.next_try = float("inf")
    assert upload().status_code == 503
    assert queue.llen("celery") == 0 and stored() == []
    connections.broker.next_try = 0.0
    assert upload().status_code == 202
    assert connections.broker.failed is None


def test_the_service_does_not_subscribe_to_results(upload, queue, monkeypatch):
    """Each subscription asks a Redis that may be away, and waits for it."""
    subscribed = []
    monkeypatch.setattr(process.backend.result_consumer, "consume_from", subscribed.append)
    assert upload().status_code == 202
    assert subscribed == []


def test_without_database_503_and_nothing_half_saved(upload, queue, stored, settings, unreachable_database):
    settings.HDMS_DB_RETRY_SECONDS = 0.3
    assert upload().status_code == 503
    assert queue.llen("celery") == 0 and stored() == []


def test_what_is_no_upload_is_refused(client, upload, settings):
    assert client.post("/api/files/", {"other": "x"}).status_code == 400
    assert client.post("/api/files/", {"file": "text, no file"}).status_code == 400
    assert client.post("/api/files/", b"{}", content_type="application/json").status_code == 415
    settings.HDMS_UPLOAD_BYTES_MAX = 100
    assert upload(b"x" * 101).status_code == 413
    assert upload(b"x" * 100_000).status_code == 413
    assert not Upload.objects.exists()


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\nb.txt", "x" * 300, "ü.png", "\u202egnp.exe"])
def test_a_name_decides_nothing(upload, queue, stored, name):
    told = upload(name=name).json()
    assert stored() == [f"{told['id'].replace('-', '')}.original"]
    assert len(told["name"]) <= 200 and "\n" not in told["name"] and "/" not in told["name"]


def test_nothing_is_given_out_before_the_scan(client, upload, queue):
    told = upload().json()
    assert "content" not in told["links"]
    path = told["links"]["self"]
    assert client.get(path + "content/").status_code == 409
    Upload.objects.update(state="infected", detail="EICAR-Test-File")
    assert client.get(path + "content/").status_code == 410
    Upload.objects.update(state="done")
    answer = client.get(path + "content/")
    assert b"".join(answer.streaming_content) == b"some text"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get(path + "converted/").status_code == 404
    assert client.get(f"/api/files/{uuid.uuid4()}/").status_code == 404


def test_lists_by_state_and_owner(client, upload, queue):
    upload(owner="ann")
    upload(owner="bob")
    assert client.get("/api/files/?owner=ann").json()["count"] == 1
    assert client.get("/api/files/?state=queued").json()["count"] == 2
    assert client.get("/api/files/?state=lost").status_code == 400


def test_a_file_that_could_not_be_written_leaves_nothing(media, stored):
    def broken():
        yield b"begin"
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        storage.store(uuid.uuid4(), broken())
    assert stored() == []
