"""Edge cases: wrong passwords. Each is named with its remedy where it is noticed, and never shown."""

import contextlib

import http_client
import pytest
from test_edges import CONNECTION

from support.polling import eventually


def test_wrong_redis_password_is_named_with_its_remedy(hdms):
    result = hdms.stack.manage(
        "ticket-service", "check_connections", check=False, environment={"REDIS_PASSWORD": "not-the-password"}
    )
    said = result.stdout + result.stderr
    assert result.returncode != 0
    assert "invalid username-password pair" in said, said
    assert "REDIS_PASSWORD" in said and "not-the-password" not in said


def test_wrong_database_credentials_are_named_with_their_remedy(hdms):
    result = hdms.stack.manage(
        "ticket-service",
        "check_connections",
        check=False,
        environment={"POSTGRES_PASSWORD": "not-the-password"},
    )
    said = result.stdout + result.stderr
    assert result.returncode != 0
    assert "authentication failed" in said.lower() and "POSTGRES_PASSWORD" in said, said
    assert "not-the-password" not in said


@pytest.mark.parametrize(
    ("name", "connection", "status"),
    [("REDIS_PASSWORD", "cache", 200), ("POSTGRES_PASSWORD", "database", 503)],
)
def test_a_service_with_a_wrong_password_says_which(hdms, name, connection, status):
    """It starts, answers as if the store were away, and its log names the variable to compare."""
    with hdms.stack.beside("ticket-service", **{name: "not-the-password"}) as (log, port):
        eventually(lambda: status_at(port, "/api/tickets/") == status, 40, message=hdms.stack.logs(log))
        hdms.expect_log(log, rf"{CONNECTION} {connection} wrong credentials: .*Remedy: compare .*{name}")
        health = http_client.get(port, "/health/").json()
        assert {each["name"] for each in health["checks"] if not each["ok"]} == {connection}
        assert "not-the-password" not in hdms.stack.logs(log) + str(health)


def status_at(port, path):
    with contextlib.suppress(*http_client.CONNECTION_ERRORS):
        return http_client.get(port, path, timeout=40).status


def test_a_sidecar_with_a_wrong_redis_password_says_so_and_its_health_check_fails(hdms):
    if hdms.stack.kind != "docker":
        pytest.skip("needs a container")
    with hdms.stack.beside("sidecar", REDIS_PASSWORD="not-the-password") as (log, _):
        hdms.expect_log(log, "error upstream refused the sidecar's password upstream=redis://redis:6379")
        assert hdms.stack.execute(log, "sidecar", "check", check=False).returncode == 1
        assert "not-the-password" not in hdms.stack.logs(log)


def test_a_worker_with_a_wrong_redis_password_says_so_and_tries_again(hdms):
    with hdms.stack.beside("file-worker", REDIS_PASSWORD="not-the-password") as (log, _):
        hdms.expect_log(log, "Cannot connect to redis:.* invalid username-password pair.*", 60)
        hdms.expect_log(log, "Trying again in", 10)
        assert "not-the-password" not in hdms.stack.logs(log)
