import logging

import pytest

from hdms_common.connections import Connection
from hdms_common.diagnosis import Problem, diagnose_database, diagnose_redis


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def connection(clock):
    made = Connection("cache", diagnose_redis, "requests go on", clock)
    made.place = "redis://sidecar:6379/0"
    return made


def test_a_change_is_logged_once_with_cause_and_remedy(connection, clock, caplog):
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            connection.lost(ConnectionError("Error 111 connecting to sidecar:6379. Connection refused."))
        clock.now += 3.5
        connection.answered()
        connection.answered()
    lost, back = [record.getMessage() for record in caplog.records]
    for part in ("cache unreachable", "redis://sidecar:6379/0", "refused", "requests go on", "Remedy: "):
        assert part in lost
    assert "answers again" in back and "3.5 s" in back and "5 failed tries" in back


def test_another_cause_is_news(connection, caplog):
    connection.lost(ConnectionError("Connection refused"))
    connection.lost(ConnectionError("WRONGPASS invalid username-password pair"))
    connection.lost(ConnectionError("WRONGPASS invalid username-password pair"))
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "cache unreachable",
        "cache wrong credentials",
    ]


def test_while_it_is_lost_one_caller_asks_after_each_delay(connection, clock):
    assert connection.due()
    connection.lost(ConnectionError("Connection refused"))
    assert not connection.due()
    clock.now += 0.11
    assert connection.due()
    assert not connection.due()
    connection.answered()
    assert connection.due() and connection.due()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('connection to server at "10.0.0.2", port 6432 failed: Connection refused', Problem.unreachable),
        ("failed to resolve host 'pgbouncer': [Errno -2] Name or service not known", Problem.unreachable),
        ("connection timeout expired", Problem.unreachable),
        ("FATAL: SASL authentication failed", Problem.credentials),
        ('FATAL: password authentication failed for user "hdms"', Problem.credentials),
        ('FATAL: database "nope" does not exist', Problem.missing),
        ("query_wait_timeout", Problem.exhausted),
        ("server login has been failing, try again later (server_login_retry)", Problem.backend_down),
        ("FATAL: the database system is starting up", Problem.backend_down),
        ("terminating connection due to administrator command", Problem.backend_down),
    ],
)
def test_what_the_database_says_is_understood(text, problem):
    assert diagnose_database(Exception(text)).problem is problem


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        ("Error 111 connecting to sidecar:6379. Connection refused.", Problem.unreachable),
        ("Error -2 connecting to sidecar:6379. Name or service not known.", Problem.unreachable),
        ("WRONGPASS invalid username-password pair or user is disabled.", Problem.credentials),
        ("Authentication required.", Problem.credentials),
        ("WRONGPASS upstream refused the sidecar's password", Problem.credentials),
        ("Connection closed by server.", Problem.backend_down),
        ("Timeout reading from socket", Problem.backend_down),
        ("LOADING Redis is loading the dataset in memory", Problem.not_ready),
    ],
)
def test_what_redis_says_is_understood(error, problem):
    assert diagnose_redis(Exception(error)).problem is problem


def test_a_cause_shows_no_password():
    told = diagnose_redis(Exception("cannot reach redis://:secret@sidecar:6379/0")).cause
    assert "secret" not in told and "***@sidecar" in told
