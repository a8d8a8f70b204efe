"""Brings the server to what the environment says, on a new volume and on an old one alike.

Comes in through PostgreSQL's own socket, where no password is asked, so that a changed POSTGRES_PASSWORD can
be applied at all. Creates POSTGRES_DB where it is missing, sets the password, and sets DB_STATEMENT_TIMEOUT
(in ms, 0 = none) with ALTER ROLE: transaction pooling drops what a client sends as start-up options.
"""

import os
import sys
import time

import psycopg
from psycopg import sql

ATTEMPTS = 6


def say(text):
    print(f"prepare_database: {text}", flush=True)


def connect(folder, user):
    """The maintenance database exists on every server, under one of two names."""
    port = os.environ.get("POSTGRES_PORT", "5432")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return psycopg.connect(
                host=folder, port=port, user=user, dbname="postgres", autocommit=True, connect_timeout=5
            )
        except psycopg.OperationalError as error:
            reason = str(error).strip().splitlines()[-1]
            if "does not exist" in reason:
                raise SystemExit(
                    f"prepare_database: {reason}: this volume was made for another POSTGRES_USER: "
                    "set that one again, or create the role by hand"
                ) from None
            if attempt == ATTEMPTS:
                raise SystemExit(f"prepare_database: no connection through {folder}: {reason}") from None
            say(f"no connection through {folder}: {reason}; again in {2**attempt / 4:g} s")
            time.sleep(2**attempt / 4)
    raise AssertionError("unreachable")


def prepare(connection, user, password, database, timeout_ms):
    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
    if known:
        say(f"database {database} exists")
    else:
        create = sql.SQL("CREATE DATABASE {} OWNER {}")
        connection.execute(create.format(sql.Identifier(database), sql.Identifier(user)))
        say(f"database {database} created")
    role = sql.Identifier(user)
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))
    say(f"password of {user} applied")
    if timeout_ms:
        setting = sql.SQL("ALTER ROLE {} SET statement_timeout = {}")
        connection.execute(setting.format(role, sql.Literal(timeout_ms)))
    else:
        connection.execute(sql.SQL("ALTER ROLE {} RESET statement_timeout").format(role))
    say(f"statement timeout of {user}: {f'{timeout_ms} ms' if timeout_ms else 'none'}")


def main():
    user = os.environ.get("POSTGRES_USER") or "hdms"
    database = os.environ.get("POSTGRES_DB") or "hdms_db"
    password = os.environ.get("POSTGRES_PASSWORD")
    folder = os.environ.get("POSTGRES_SOCKET") or "/var/run/postgresql"
    if not password:
        sys.exit("prepare_database: POSTGRES_PASSWORD is not set")
    timeout = os.environ.get("DB_STATEMENT_TIMEOUT") or "0"
    if not timeout.isdigit():
        sys.exit(f"prepare_database: DB_STATEMENT_TIMEOUT='{timeout}' is not a number of milliseconds")
    with connect(folder, user) as connection:
        prepare(connection, user, password, database, int(timeout))


if __name__ == "__main__":
    main()
