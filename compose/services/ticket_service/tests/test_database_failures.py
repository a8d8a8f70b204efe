"""What a service does when its database is away, or its pool is full."""

import threading
import time

import psycopg
import pytest
from django.db import OperationalError, connection

from hdms_common import connections
from hdms_common.database import CommitUnknown, in_transaction, may_retry
from ticket_service.models import Ticket

pytestmark = pytest.mark.django_db(transaction=True)
POOL = 25


@pytest.fixture
def hasty(settings):
    settings.HDMS_DB_RETRY_SECONDS = 0.3


def test_without_database_503_and_when_to_come_back(client, post, hasty, unreachable_database, caplog, capfd):
    for _ in range(3):
        answer = post("/api/tickets/", {"title": "lost"})
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.json()["error"] == "the database is unavailable"
    assert client.get("/api/tickets/1/").status_code == 503
    told = [record.getMessage() for record in caplog.records if record.name == "hdms.connections"]
    assert len(told) == 1
    assert "database unreachable" in told[0] and "refused" in told[0] and "pgbouncer" in told[0]
    assert "Service Unavailable" not in capfd.readouterr().err


def test_a_database_that_comes_back_in_time_is_not_noticed(client, post, unreachable_database):
    answers = []
    usual = unreachable_database.settings_dict
    wrapped = connections.database.lost

    def lost(error):
        answers.append(error)
        if len(answers) == 3:
            usual["PORT"] = right_port
        return wrapped(error)

    from django.conf import settings

    right_port = settings.HDMS_DATABASE_PLACE.split(":")[1].split("/")[0]
    connections.database.lost = lost
    try:
        assert post("/api/tickets/", {"title": "patient"}).status_code == 201
    finally:
        del connections.database.lost
    assert len(answers) == 3
    assert Ticket.objects.filter(title="patient").count() == 1


def test_wrong_credentials_are_not_tried_again(post, unreachable_database, settings, caplog):
    usual = dict(unreachable_database.settings_dict)
    unreachable_database.settings_dict["PORT"] = settings.HDMS_DATABASE_PLACE.split(":")[1].split("/")[0]
    unreachable_database.settings_dict["PASSWORD"] = "not-it"
    try:
        begin = time.monotonic()
        assert post("/api/tickets/", {"title": "x"}).status_code == 503
        assert time.monotonic() - begin < 5
    finally:
        unreachable_database.settings_dict["PASSWORD"] = usual["PASSWORD"]
    (told,) = [record.getMessage() for record in caplog.records if record.name == "hdms.connections"]
    assert "database wrong credentials" in told and "POSTGRES_PASSWORD" in told and "not-it" not in told


def test_a_full_pool_is_waited_for(client, post, settings, caplog):
    """PgBouncer refuses a query after a second here; a request tries again until a connection is free."""
    ticket = post("/api/tickets/", {"title": "patient"}).json()
    connection.close()
    wanted = settings.DATABASES["default"]
    holders = [
        psycopg.connect(
            host=wanted["HOST"],
            port=wanted["PORT"],
            dbname=wanted["NAME"],
            user=wanted["USER"],
            password=wanted["PASSWORD"],
            prepare_threshold=None,
        )
        for _ in range(POOL)
    ]
    try:
        for holder in holders:
            holder.execute("SELECT 1")
        released = threading.Event()
        watcher = threading.Thread(target=release_after_loss, args=(holders, released))
        watcher.start()
        answer = client.get(f"/api/tickets/{ticket['id']}/")
        watcher.join(60)
    finally:
        for holder in holders:
            holder.close()
    assert released.is_set(), "the pool was never full"
    assert answer.status_code == 200
    told = [record.getMessage() for record in caplog.records if record.name == "hdms.connections"]
    assert "no free connection" in told[0] and "query_wait_timeout" in told[0]
    assert "answers again" in told[-1]


def release_after_loss(holders, released):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if connections.database.failed is not None:
            released.set()
            break
        time.sleep(0.02)
    for holder in holders:
        holder.rollback()


def test_a_lost_connection_in_a_transaction_repeats_all_of_it():
    attempts = []

    def work():
        attempts.append(1)
        Ticket.objects.create(title="once", reporter="bob")
        if len(attempts) == 1:
            break_connection()
            Ticket.objects.count()
        return len(attempts)

    assert in_transaction(work) == 2
    assert Ticket.objects.filter(title="once").count() == 1


def break_connection():
    """The socket ends as if PgBouncer had gone."""
    import os
    import socket

    with socket.socket(fileno=os.dup(connection.connection.fileno())) as link:
        link.shutdown(socket.SHUT_RDWR)


def test_a_commit_without_answer_is_not_repeated():
    attempts = []

    def work():
        attempts.append(1)
        Ticket.objects.create(title="unknown", reporter="bob")
        break_connection()

    with pytest.raises(CommitUnknown):
        in_transaction(work)
    assert attempts == [1]


def test_a_statement_that_failed_is_not_a_lost_connection():
    error = OperationalError("canceling statement due to statement timeout")
    error.__cause__ = psycopg.errors.QueryCanceled()
    assert not may_retry(error)
    deadlock = OperationalError("deadlock detected")
    deadlock.__cause__ = psycopg.errors.DeadlockDetected()
    assert may_retry(deadlock)


def test_statements_are_not_prepared_and_cursors_stay_with_us(settings):
    """Transaction pooling gives each transaction another server connection."""
    assert settings.DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] is True
    for _ in range(12):
        Ticket.objects.filter(pk=1).exists()
    assert connection.connection.prepare_threshold is None
    assert list(Ticket.objects.iterator()) == []
