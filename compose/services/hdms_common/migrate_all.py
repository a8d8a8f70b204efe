"""python -m hdms_common.migrate_all: the migrations of all services, through PgBouncer; safe to run twice.

Waits for the database with backoff, MIGRATE_WAIT seconds at most, since PgBouncer may be ready before it.
"""

import os
import subprocess
import sys

from hdms_common.environment import Environment
from hdms_common.retry import retried

SERVICES = ("user_service", "ticket_service", "communication_service", "file_service")
WAIT_SECONDS = 60


def wait_for_database(seconds):
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{SERVICES[0]}.settings")
    django.setup()
    from hdms_common.checks import ask_database
    from hdms_common.connections import database

    def ask():
        try:
            ask_database()
        except Exception as error:
            database.lost(error)
            raise
        database.answered()

    retried(ask, lambda error: True, seconds)


def main():
    seconds = Environment().number("MIGRATE_WAIT", WAIT_SECONDS)
    try:
        wait_for_database(seconds)
    except Exception:
        print(f"migrate: the database did not answer within {seconds} s, see above", file=sys.stderr)
        return 1
    for service in SERVICES:
        command = [
            sys.executable,
            "-m",
            "django",
            "migrate",
            "--no-input",
            "--settings",
            f"{service}.settings",
        ]
        print(f"migrate: {service}", flush=True)
        code = subprocess.run(command).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
