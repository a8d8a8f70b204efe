"""Failures of the database, and transactions that are tried again.

A transaction is repeated only while it is certain that nothing was committed: its COMMIT had not been sent.
"""

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, transaction

from hdms_common import connections
from hdms_common.diagnosis import Problem, diagnose_database
from hdms_common.retry import retried

# By SQLSTATE: a statement failed, not the connection.
STATEMENT_FAILURES = ("40", "55", "57014")
UNDONE_BY_SERVER = ("40",)
WILL_NOT_PASS = (Problem.credentials, Problem.missing)


class CommitUnknown(OperationalError):
    """The connection broke while committing: done or not done, nobody can tell here."""


def sqlstate(error):
    return getattr(error.__cause__, "sqlstate", None) or ""


def is_connection_failure(error):
    return isinstance(error, (OperationalError, InterfaceError)) and not sqlstate(error).startswith(
        STATEMENT_FAILURES
    )


def may_retry(error):
    """Whether trying again is safe and may help; a database lost for long gets one try a request."""
    if isinstance(error, CommitUnknown):
        return False
    if isinstance(error, OperationalError) and sqlstate(error).startswith(UNDONE_BY_SERVER):
        return True
    if not is_connection_failure(error) or diagnose_database(error).problem in WILL_NOT_PASS:
        return False
    return connections.database.lost_for() < settings.HDMS_DB_RETRY_SECONDS


def once_more(work):
    """The result of reading work(), repeated with backoff when the connection fails."""

    def attempt():
        close_old_connections()
        return work()

    if transaction.get_connection().in_atomic_block:
        return work()
    return retried(attempt, may_retry, settings.HDMS_DB_RETRY_SECONDS)


def in_transaction(work):
    """The result of work() in one transaction, repeated with backoff while nothing was committed."""

    def attempt():
        committing = False
        close_old_connections()
        try:
            with transaction.atomic():
                result = work()
                committing = True
        except (OperationalError, InterfaceError) as error:
            if committing and not sqlstate(error).startswith(UNDONE_BY_SERVER):
                raise CommitUnknown(*error.args) from error
            raise
        return result

    if transaction.get_connection().in_atomic_block:
        return work()
    return retried(attempt, may_retry, settings.HDMS_DB_RETRY_SECONDS)
