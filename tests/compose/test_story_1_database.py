"""Story 1: as a developer I have a PostgreSQL that every service reaches through PgBouncer."""

import re
import time

import http_client
import psycopg
import pytest
from environment import SERVICES

from support.polling import eventually


def test_database_has_the_configured_name_and_user_and_asks_for_the_password(hdms):
    values = hdms.environment.values
    ((database, user, version),) = hdms.sql(
        "SELECT current_database(), current_user, current_setting('server_version')"
    )
    assert (database, user) == (values["POSTGRES_DB"], values["POSTGRES_USER"])
    assert version.startswith("16.")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        hdms.connect(password="wrong")


def test_pgbouncer_pools_transactions_with_the_configured_size(hdms):
    hdms.sql("SELECT 1")
    database = hdms.environment["POSTGRES_DB"]
    pools = {row["database"]: row for row in hdms.pooler("SHOW POOLS")}
    assert pools[database]["pool_mode"] == "transaction"
    databases = {row["name"]: row for row in hdms.pooler("SHOW DATABASES")}
    assert int(databases[database]["pool_size"]) == int(hdms.environment["PGBOUNCER_DEFAULT_POOL_SIZE"])
    settings = {row["key"]: row["value"] for row in hdms.pooler("SHOW CONFIG")}
    assert settings["max_client_conn"] == hdms.environment["PGBOUNCER_MAX_CLIENT_CONN"]
    assert settings["auth_type"] == "scram-sha-256"


def test_more_clients_than_connections_share_the_pool(hdms):
    size = int(hdms.environment["PGBOUNCER_DEFAULT_POOL_SIZE"])
    clients = [hdms.connect() for _ in range(2 * size)]
    try:
        servers = {client.execute("SELECT pg_backend_pid()").fetchone()[0] for client in clients}
    finally:
        for client in clients:
            client.close()
    assert len(servers) <= size


def test_driver_start_up_parameters_are_accepted(hdms):
    with hdms.connect(options="-c statement_timeout=5000", application_name="acceptance") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_connects_through_pgbouncer_and_not_directly(hdms, service):
    check = hdms.check(service, "database")
    assert check["ok"]
    port = 6432 if hdms.stack.kind == "docker" else hdms.port("pgbouncer")
    assert f":{port}/" in check["where"]
    # PostgreSQL sees one peer only: PgBouncer, and migrate's socket.
    addresses = {row[0] for row in hdms.sql("SELECT DISTINCT client_addr::text FROM pg_stat_activity")} - {
        None
    }
    assert len(addresses) == 1, addresses


def test_check_connections_names_what_it_reached_and_hides_the_password(hdms):
    result = hdms.stack.manage("user-service", "check_connections")
    assert "database" in result.stdout and hdms.environment["POSTGRES_DB"] in result.stdout
    assert hdms.environment["POSTGRES_PASSWORD"] not in result.stdout + result.stderr
    wrong = hdms.stack.manage(
        "user-service", "check_connections", check=False, environment={"POSTGRES_PASSWORD": "not-this-one"}
    )
    assert wrong.returncode != 0
    assert "not-this-one" not in wrong.stdout + wrong.stderr


def test_migrations_ran_for_every_service(hdms):
    applications = {row[0] for row in hdms.sql("SELECT DISTINCT app FROM django_migrations")}
    assert {service.replace("-", "_") for service in SERVICES} <= applications
    for service in SERVICES:
        pending = hdms.stack.manage(service, "migrate", "--check", check=False)
        assert pending.returncode == 0, pending.stdout + pending.stderr
    assert re.search("prepare_database: password of .* applied", hdms.stack.migrate_log())


@pytest.mark.parametrize("service", SERVICES)
def test_a_restarted_service_reconnects(hdms, service):
    hdms.stack.restart(service)
    began = time.monotonic()
    eventually(lambda: hdms.healthy(service), 30, 0.05, message=hdms.last_word(service))
    assert time.monotonic() - began < 15


def test_rows_written_by_one_service_process_are_read_by_another(hdms):
    made = hdms.create_ticket("printer on fire").json()
    hdms.stack.restart("ticket-service")
    hdms.wait_connected(services=["ticket-service"])
    found = http_client.get(hdms.port("ticket-service"), f"/api/tickets/{made['id']}/").json()
    assert found["title"] == "printer on fire"
