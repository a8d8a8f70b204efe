"""For the tests of all services: the database of the stack they were given, with its migrations applied."""

import pytest

from hdms_common import connections


@pytest.fixture(scope="session")
def django_db_setup():
    """run_tests.py has made and migrated the database; PgBouncer knows no other one."""


@pytest.fixture(autouse=True)
def fresh_connections():
    """What a test has broken is not known to the next one."""
    yield
    for each in (connections.database, connections.cache, connections.broker, connections.channels):
        each.failed = None
        each.next_try = 0.0


@pytest.fixture(autouse=True)
def empty_cache():
    from django.core.cache import cache

    cache.clear()


@pytest.fixture
def post(client):
    def send(path, body, **headers):
        return client.post(path, body, content_type="application/json", headers=headers)

    return send


@pytest.fixture
def patch(client):
    def send(path, body, **headers):
        return client.patch(path, body, content_type="application/json", headers=headers)

    return send


@pytest.fixture
def unreachable_database():
    """PgBouncer as if it were down: a port where nobody listens."""
    from django.db import connection

    usual = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = 1
    yield connection
    connection.close()
    connection.settings_dict["PORT"] = usual
