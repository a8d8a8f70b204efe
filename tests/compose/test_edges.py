"""Edge cases: each with what users notice, how it heals, and the log line it must produce."""

import concurrent.futures
import random
import time

import http_client
import psycopg
import pytest
from environment import SERVICES

from support.polling import eventually

CONNECTION = r"ERROR hdms\.connections"


def status_of(hdms, service, path="/health/"):
    return http_client.get(hdms.port(service), path, timeout=40).status


def marks(hdms, *names):
    return {name: hdms.log_mark(name) for name in names}


def test_redis_unavailable_means_cache_misses_and_503_for_tasks(hdms):
    before = marks(hdms, *SERVICES)
    hdms.create_ticket("before the loss")
    hdms.stack.stop("redis")
    assert http_client.get(hdms.port("ticket-service"), "/api/tickets/").status == 200
    answer = eventually(lambda: (found := hdms.upload("lost.txt", b"x")).status == 503 and found, 30)
    assert int(answer.headers["Retry-After"]) > 0
    assert hdms.sql(
        "SELECT count(*) FROM file_service_upload WHERE name = 'lost.txt' AND state = 'queued'"
    ) == [(0,)]
    hdms.expect_log("ticket-service", rf"{CONNECTION} cache .*Remedy: ", since=before["ticket-service"])
    hdms.expect_log("file-service", rf"{CONNECTION} broker .*Remedy: ", since=before["file-service"])
    hdms.stack.start("redis")
    hdms.wait_connected()
    hdms.expect_log(
        "ticket-service",
        r"WARNING hdms\.connections cache answers again",
        since=before["ticket-service"],
        asking=lambda: http_client.get(hdms.port("ticket-service"), "/api/tickets/"),
    )
    eventually(lambda: hdms.upload("after.txt", b"x").status == 202, 10)


def test_pgbouncer_down_means_503_and_one_line_per_change(hdms):
    before = marks(hdms, "ticket-service", "user-service")
    hdms.stack.stop("pgbouncer")
    answer = http_client.get(hdms.port("user-service"), "/api/users/", timeout=60)
    assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0
    line = hdms.expect_log(
        "user-service", rf"{CONNECTION} database unreachable: .*Remedy: ", since=before["user-service"]
    )
    assert hdms.environment["POSTGRES_PASSWORD"] not in line
    for _ in range(3):
        status_of(hdms, "user-service", "/health/")
    text = hdms.stack.logs("user-service")[before["user-service"] :]
    workers = 8
    assert text.count("database unreachable") <= workers, "once per change, not once per request"
    hdms.stack.start("pgbouncer")
    hdms.wait_connected()
    hdms.expect_log(
        "user-service",
        "database answers again",
        since=before["user-service"],
        asking=lambda: http_client.get(hdms.port("user-service"), "/api/users/"),
    )


def test_postgresql_down_is_told_apart_from_pgbouncer_down(hdms):
    before = marks(hdms, "user-service", "pgbouncer")
    hdms.stack.stop("postgres")
    assert http_client.get(hdms.port("user-service"), "/api/users/", timeout=60).status == 503
    hdms.expect_log("user-service", rf"{CONNECTION} database .*Remedy: ", since=before["user-service"])
    hdms.expect_log(
        "pgbouncer",
        "server login has been failing|DNS lookup failed|connect failed",
        since=before["pgbouncer"],
    )
    hdms.stack.start("postgres")
    hdms.wait_connected()


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


def hold_a_transaction(hdms, seconds, deadline):
    """One of many clients: tries with exponential backoff until it had its transaction; returns its tries."""
    delay = 0.2
    for attempt in range(1, 100):
        try:
            with hdms.connect(autocommit=False, connect_timeout=60) as connection:
                connection.execute("SELECT pg_sleep(%s)", (seconds,))
                return attempt
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"no transaction after {attempt} tries: {error}") from error
            time.sleep(delay * random.uniform(0.5, 1.5))
            delay = min(delay * 2, 5)
    raise AssertionError("too many tries")


@pytest.mark.timeout(240, func_only=True)
def test_pool_exhausted_by_200_clients_heals_by_retries_with_backoff(hdms):
    """Each holds a server connection for longer than query_wait_timeout: most are refused at first."""
    wait = int(hdms.environment["PGBOUNCER_QUERY_WAIT_TIMEOUT"])
    before = marks(hdms, "pgbouncer", "user-service")
    deadline = time.monotonic() + 180
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        clients = [pool.submit(hold_a_transaction, hdms, wait + 1, deadline) for _ in range(200)]
        # A service asked meanwhile tries again by itself and is served, or says 503 and when to come back.
        answer = http_client.get(hdms.port("user-service"), "/api/users/", timeout=90)
        tries = [client.result() for client in clients]
    assert len(tries) == 200
    assert max(tries) > 1, "nobody was refused: the pool was not exhausted"
    assert answer.status in (200, 503), answer
    hdms.expect_log("pgbouncer", "query_wait_timeout", since=before["pgbouncer"])
    assert http_client.get(hdms.port("user-service"), "/api/users/").status == 200


def test_network_cut_and_restored(hdms):
    if hdms.stack.kind != "docker":
        pytest.skip("needs networks of containers")
    before = marks(hdms, "ticket-service", "sidecar")
    hdms.stack.cut("ticket-service", "services")
    try:
        # Nothing can ask it from outside now: it is asked from within.
        result = hdms.stack.manage("ticket-service", "check_connections", check=False)
        assert result.returncode != 0 and "database" in result.stdout + result.stderr
    finally:
        hdms.stack.mend("ticket-service", "services")
    hdms.wait_connected(services=["ticket-service"], seconds=60)
    hdms.stack.cut("redis", "data")
    try:
        hdms.expect_log("sidecar", "upstream", since=before["sidecar"])
    finally:
        hdms.stack.mend("redis", "data")
    hdms.wait_connected(seconds=60)


def test_postgresql_that_cannot_start_keeps_the_services_waiting_and_says_why(new_stack, hdms):
    """A volume that is not writable for it, then mended."""
    if hdms.stack.kind != "docker":
        pytest.skip("needs a container that fails")
    broken = new_stack(POSTGRES_PASSWORD="x")
    environment = broken.environment
    (environment.compose / "docker-compose.quick.yml").write_text(
        "services: {postgres: {command: [postgres, -c, shared_buffers=nonsense]}}"
    )
    result = broken.stack.compose("up", "-d", "postgres", check=False)
    assert result.returncode == 0
    broken.expect_log("postgres", 'invalid value for parameter "shared_buffers"', 120)
    eventually(lambda: broken.stack.restarts("postgres") > 0, 30, message="the restart policy does nothing")
    assert broken.stack.health("postgres") != "healthy"
    broken.stack.down(volumes=True)
