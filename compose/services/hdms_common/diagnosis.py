"""From an exception to its cause and what to do about it, in words for whoever operates the stack.

Matched loosely: the texts come from libpq, PgBouncer, PostgreSQL, redis-py, Sidecar and the resolver.
"""

import asyncio
import enum
import re
from dataclasses import dataclass


class Problem(enum.Enum):
    unreachable = "unreachable"
    credentials = "wrong credentials"
    exhausted = "no free connection"
    backend_down = "reached, but what stands behind it is down"
    missing = "missing"
    not_ready = "not ready"
    other = "failing"


@dataclass(frozen=True)
class Diagnosis:
    problem: Problem
    cause: str
    remedy: str


UNREACHABLE = (
    r"connection refused|could not translate host name|name or service not known|temporary failure in name"
    r"|name resolution|no route to host|network is unreachable|timed? ?out|timeout"
    r"|failed to resolve|errno -[235]\b"
)
DATABASE_RULES = (
    (
        r"query_wait_timeout|query wait timeout",
        Problem.exhausted,
        "all of PgBouncer's server connections were in use for longer than query_wait_timeout: raise"
        " PGBOUNCER_DEFAULT_POOL_SIZE (25 to 50) or find who holds transactions open (SHOW CLIENTS)",
    ),
    (
        r"no more connections allowed|too many clients|remaining connection slots|too many connections",
        Problem.exhausted,
        "raise max_client_conn of PgBouncer or max_connections of PostgreSQL, or run fewer service processes",
    ),
    (
        r"password authentication failed|sasl authentication failed|auth(entication)? failed"
        r"|no password supplied|no such user|wrong password|password mismatch"
        r"|role .* does not exist|server_login_failed.*auth",
        Problem.credentials,
        "compare POSTGRES_USER and POSTGRES_PASSWORD of this service with those of the stack, then run the"
        " migrate container again: it applies a changed password",
    ),
    (
        r"no such database|database .* does not exist",
        Problem.missing,
        "compare POSTGRES_DB with that of the stack, then run the migrate container: it creates the database",
    ),
    (
        r"relation .* does not exist|column .* does not exist",
        Problem.missing,
        "run the migrate container: the tables of this version are not there yet",
    ),
    (
        r"server_login_retry|server_login_failed|server login|server_connect|cannot connect to server"
        r"|connect failed|server conn crashed|starting up|shutting down|recovery mode|terminating connection"
        r"|server_check|server_lifetime|the database system",
        Problem.backend_down,
        "PgBouncer answers but PostgreSQL does not: look at `docker compose ps postgres` and its log",
    ),
    (
        r"canceling statement due to statement timeout",
        Problem.other,
        "a statement ran longer than DB_STATEMENT_TIMEOUT",
    ),
    (
        UNREACHABLE + r"|server closed the connection|connection is closed|connection already closed"
        r"|client_idle|connection not open|connection is lost|consuming input failed|pgbouncer cannot",
        Problem.unreachable,
        "PgBouncer does not answer: look at `docker compose ps pgbouncer` and its log, then at PGBOUNCER_HOST"
        " and PGBOUNCER_PORT",
    ),
)
REDIS_RULES = (
    (
        r"refused the sidecar's password",
        Problem.credentials,
        "the sidecar and Redis disagree about the password: give both the same REDIS_PASSWORD",
    ),
    (
        r"wrongpass|noauth|authentication required|invalid username-password|auth.*called without any"
        r"|invalid password",
        Problem.credentials,
        "compare REDIS_PASSWORD of this service with that of the sidecar",
    ),
    (
        r"loading|masterdown|misconf|out of memory|readonly",
        Problem.not_ready,
        "Redis answers but cannot serve yet: look at `docker compose logs redis`",
    ),
    (
        r"timeout reading|no answer in time|connection closed by server"
        r"|connection reset|broken pipe|closed the connection|error while reading",
        Problem.backend_down,
        "the sidecar is there but waits for Redis in vain: look at `docker compose ps redis sidecar`",
    ),
    (
        UNREACHABLE,
        Problem.unreachable,
        "the sidecar does not answer: look at `docker compose ps sidecar redis`, then at the host and port",
    ),
)


# What these mean where nobody wrote a sentence into them.
NAMELESS = {TimeoutError: "no answer in time", asyncio.CancelledError: ""}


def diagnose_database(error):
    return diagnose(error, DATABASE_RULES, "look at the logs of pgbouncer and postgres")


def diagnose_redis(error):
    return diagnose(error, REDIS_RULES, "look at the logs of sidecar and redis")


def diagnose(error, rules, otherwise):
    text = told(error)
    for pattern, problem, remedy in rules:
        if re.search(pattern, text, re.IGNORECASE):
            return Diagnosis(problem, text, remedy)
    return Diagnosis(Problem.other, text, otherwise)


def told(error):
    """What the exception and those behind it say, in one line and without passwords."""
    texts = []
    while error is not None and len(texts) < 4:
        text = " ".join(str(error).split()) or NAMELESS.get(type(error), type(error).__name__)
        if text and not any(text in each for each in texts):
            texts.append(text)
        error = error.__cause__
    line = "; ".join(texts)
    return re.sub(r"://([^:@/\s]*):[^@/\s]+@", r"://\1:***@", line)[:500]
