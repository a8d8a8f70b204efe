"""Edge cases: each with what users notice, how it heals, and the log line it must produce."""

import concurrent.futures

import http_client
import psycopg
import pytest
from compose.services.hdms_common.retry import retried
from environment import SERVICES

from support.polling import eventually

CONNECTION = r"ERROR hdms\.connections"


def status_of(hdms, service, path="/health/"):
    return http_client.get(hdms.port(service), path, timeout=40).status


def marks(hdms, *names):
    return {name: hdms.log_mark(name) for name in names}


def files_kept(hdms):
    place = "/data/media" if hdms.stack.kind == "docker" else hdms.stack.stack.folder / "media"
    return hdms.stack.execute("file-service", "find", place, "-type", "f").stdout.count("\n")


def test_redis_unavailable_means_cache_misses_and_503_for_tasks(hdms):
    before = marks(hdms, *SERVICES)
    hdms.create_ticket("before the loss")
    rows, files = hdms.sql("SELECT count(*) FROM file_service_upload"), files_kept(hdms)
    hdms.stack.stop("redis")
    missed = http_client.get(hdms.port("ticket-service"), "/api/tickets/")
    assert (missed.status, missed.headers["X-Cache"]) == (200, "miss")
    assert "before the loss" in [each["title"] for each in missed.json()["results"]]
    answer = hdms.upload("lost.txt", b"x")
    assert answer.status == 503, answer
    assert int(answer.headers["Retry-After"]) > 0
    assert (hdms.sql("SELECT count(*) FROM file_service_upload"), files_kept(hdms)) == (rows, files)
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


class PooledClient:
    """One of many clients: holds a transaction, tried again as the services do it until it had it."""

    def __init__(self, hdms, hold_seconds, within_seconds):
        self.hdms = hdms
        self.hold_seconds = hold_seconds
        self.within_seconds = within_seconds
        self.tries = 0

    def run(self):
        retried(self.once, lambda error: isinstance(error, psycopg.OperationalError), self.within_seconds)
        return self.tries

    def once(self):
        self.tries += 1
        with self.hdms.connect(autocommit=False, connect_timeout=60) as connection:
            connection.execute("SELECT pg_sleep(%s)", (self.hold_seconds,))


@pytest.mark.timeout(240, func_only=True)
def test_pool_exhausted_by_200_clients_heals_by_retries_with_backoff(hdms, table):
    """Each holds a server connection for longer than query_wait_timeout: most are refused at first."""
    wait = int(hdms.environment["PGBOUNCER_QUERY_WAIT_TIMEOUT"])
    before = marks(hdms, "pgbouncer", "user-service")
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        clients = [pool.submit(PooledClient(hdms, wait + 1, 180).run) for _ in range(200)]
        answers = ask_until_served(hdms, clients)
        tries = [client.result() for client in clients]
    table.append(
        f"200 clients on {hdms.environment['PGBOUNCER_DEFAULT_POOL_SIZE']} connections: all served, "
        f"{sum(tries)} tries, {max(tries)} at most by one; user-service meanwhile answered {answers}"
    )
    assert len(tries) == 200
    assert max(tries) > 1, "nobody was refused: the pool was not exhausted"
    assert set(answers) <= {200, 503} and answers[-1] == 200, answers
    hdms.expect_log("pgbouncer", "query_wait_timeout", since=before["pgbouncer"])
    hdms.expect_log(
        "user-service",
        rf"{CONNECTION} database no free connection: .*query_wait_timeout.*Remedy: .*DEFAULT_POOL_SIZE",
        since=before["user-service"],
    )
    hdms.expect_log(
        "user-service", r"database answers again: .*after .* failed tries", since=before["user-service"]
    )


def ask_until_served(hdms, clients):
    """What a service answered as long as the clients hold the pool, and once behind them."""
    answers = []
    while True:
        ended = all(client.done() for client in clients)
        answers.append(http_client.get(hdms.port("user-service"), "/api/users/", timeout=90).status)
        if ended:
            return answers
        concurrent.futures.wait(clients, 1, concurrent.futures.FIRST_EXCEPTION)


def test_network_cut_and_restored(hdms):
    if hdms.stack.kind != "docker":
        pytest.skip("needs networks of containers")
    before = marks(hdms, "ticket-service", "sidecar")
    hdms.stack.cut("ticket-service", "services")
    try:
        # Nothing can ask it from outside now: it is asked from within.
        result = hdms.stack.manage("ticket-service", "check_connections", check=False)
        assert result.returncode != 0 and "database" in result.stdout + result.stderr
        ask = "import urllib.request as r; r.urlopen('http://127.0.0.1:8002/api/tickets/', timeout=60)"
        hdms.stack.execute("ticket-service", "python", "-c", ask, check=False)
        hdms.expect_log(
            "ticket-service", rf"{CONNECTION} database .*Remedy: ", since=before["ticket-service"]
        )
    finally:
        hdms.stack.mend("ticket-service", "services")
    hdms.wait_connected(services=["ticket-service"], seconds=60)
    hdms.stack.cut("redis", "data")
    try:
        hdms.expect_log("sidecar", "upstream", since=before["sidecar"])
    finally:
        hdms.stack.mend("redis", "data")
    hdms.wait_connected(seconds=60)


def test_a_health_check_that_is_cut_off_is_no_crash_of_postgresql(hdms):
    """Its child is left to process 1 of the container and dies of the pipe that nobody reads."""
    if hdms.stack.kind != "docker":
        pytest.skip("needs a container")
    with hdms.connect() as connection:
        before = connection.execute("SELECT pg_postmaster_start_time(), pg_backend_pid()").fetchone()
        mark = hdms.log_mark("postgres")
        orphan = "sh -c 'sleep 0.2; kill -PIPE $$' >/dev/null 2>&1 & echo $!"
        number = hdms.stack.execute("postgres", "sh", "-c", orphan).stdout.strip()
        alive = ["sh", "-c", f"kill -0 {number}"]
        eventually(lambda: hdms.stack.execute("postgres", *alive, check=False).returncode, 20, 0.2)
        after = connection.execute("SELECT pg_postmaster_start_time(), pg_backend_pid()").fetchone()
    assert after == before
    assert "terminated by signal" not in hdms.stack.logs("postgres")[mark:]


def test_postgresql_that_cannot_start_says_why_is_tried_again_and_heals_when_mended(new_stack):
    broken = new_stack(POSTGRES_PASSWORD="x").stack
    with broken.broken_postgres():
        eventually(lambda: 'invalid value for parameter "shared_buffers"' in broken.logs("postgres"), 60)
        eventually(lambda: broken.restarts("postgres") > 0, 30, message="nobody starts it again")
        if broken.kind == "docker":
            assert broken.health("postgres") != "healthy"
    broken.compose("up", "-d", "postgres") if broken.kind == "docker" else broken.start("postgres")
    eventually(lambda: "ready to accept connections" in broken.tail("postgres", 3), 60)
    broken.down(volumes=True)
