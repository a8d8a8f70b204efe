import json
import socket
import threading
import time

import pytest
from django.core.management import call_command

from hdms_common.checks import Check, run_checks
from hdms_common.diagnosis import diagnose_redis


@pytest.mark.django_db
def test_health_tells_of_every_connection(client):
    answer = client.get("/health/")
    body = answer.json()
    assert answer.status_code == 200 and body["status"] == "ok"
    assert [check["name"] for check in body["checks"]] == ["database", "cache"]
    assert all(check["ok"] and check["ms"] > 0 for check in body["checks"])


def test_the_check_goes_through_pgbouncer(client, settings):
    (database, _) = client.get("/health/").json()["checks"]
    assert str(settings.DATABASES["default"]["PORT"]) in database["where"]
    behind = database["detail"]
    assert "PostgreSQL 16" in behind and str(settings.DATABASES["default"]["PORT"]) not in behind


def test_health_without_the_cache_is_degraded(client, settings):
    settings.CACHES["default"]["LOCATION"] = "redis://127.0.0.1:1/0"
    answer = client.get("/health/")
    assert answer.status_code == 200 and answer.json()["status"] == "degraded"
    (_, cache) = answer.json()["checks"]
    assert not cache["ok"] and "refused" in cache["cause"] and cache["remedy"]


@pytest.fixture
def restored(settings):
    before = {name: dict(settings.DATABASES["default"]) for name in ("default",)}
    location = settings.CACHES["default"]["LOCATION"]
    yield
    settings.DATABASES["default"].update(before["default"])
    settings.CACHES["default"]["LOCATION"] = location


@pytest.fixture(autouse=True)
def _restored(restored):
    return restored


def test_health_without_the_database_has_failed(client, settings):
    settings.DATABASES["default"]["PORT"] = 1
    answer = client.get("/health/")
    assert answer.status_code == 503 and answer.json()["status"] == "failed"


def test_check_connections_says_why_and_exits_with_1(settings, capsys):
    settings.DATABASES["default"]["PASSWORD"] = "not-it"
    with pytest.raises(SystemExit) as end:
        call_command("check_connections")
    assert end.value.code == 1
    told = capsys.readouterr().out
    assert "database  FAILED" in told and "cache     ok" in told
    assert "authentication failed" in told and "POSTGRES_PASSWORD" in told
    assert "not-it" not in told


def test_check_connections_as_json(capsys):
    call_command("check_connections", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["service"] == "ticket-service" and all(check["ok"] for check in told["checks"])


def test_a_database_that_does_not_exist_is_named(settings, capsys):
    settings.DATABASES["default"]["NAME"] = "elsewhere"
    with pytest.raises(SystemExit):
        call_command("check_connections")
    told = capsys.readouterr().out
    assert "FAILED" in told and "remedy: " in told


def test_a_check_that_hangs_is_reported_in_time_and_not_started_twice():
    starts = []
    release = threading.Event()

    def hang():
        starts.append(1)
        release.wait(30)
        return "after all"

    check = Check("slow", "nowhere", hang, diagnose_redis)
    begin = time.monotonic()
    (first,) = run_checks([check], seconds=0.2)
    (second,) = run_checks([check], seconds=0.2)
    assert time.monotonic() - begin < 5
    assert not first.ok and "timed out" in first.cause and second.ms > first.ms
    assert starts == [1]
    release.set()
    (third,) = run_checks([check], seconds=10)
    assert third.ok


def test_a_server_that_accepts_and_says_nothing_does_not_hold_up_health(client, settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.CACHES["default"]["LOCATION"] = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        begin = time.monotonic()
        assert client.get("/health/").json()["status"] == "degraded"
        assert time.monotonic() - begin < 8
