"""The environment of the stack: .env files as Compose reads them, and what differs without containers."""

import pathlib

COMPOSE = pathlib.Path(__file__).resolve().parents[1]


def read_env(path):
    """NAME=VALUE lines; quotes around a value are taken off, `#` begins a comment at a line's start only."""
    values = {}
    for line in pathlib.Path(path).read_text().splitlines():
        name, sign, value = line.partition("=")
        if not sign or line.lstrip().startswith("#"):
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        values[name.strip()] = value
    return values


def env_of(folder, name=".env"):
    """The values of a folder's .env, or of its .env.example where there is none."""
    file = pathlib.Path(folder) / name
    if not file.exists() and name == ".env":
        file = pathlib.Path(folder) / ".env.example"
    return read_env(file) if file.exists() else {}


class Ports:
    """A port for each listener: the one wanted when it is free."""

    def __init__(self, free):
        self.postgres = free(5432, "PostgreSQL")
        self.pgbouncer = free(6432, "PgBouncer")
        self.redis = free(6380, "Redis")
        self.sidecar = free(6379, "Sidecar")
        self.sidecar_http = free(8379, "Sidecar's HTTP")
        self.services = {
            "user-service": free(8001, "user-service"),
            "ticket-service": free(8002, "ticket-service"),
            "communication-service": free(8003, "communication-service"),
            "file-service": free(8005, "file-service"),
        }


def service_environment(stack, own, ports, media):
    """What compose gives a service, with the addresses of this machine instead of container names."""
    redis = f"redis://127.0.0.1:{ports.sidecar}"
    passed = (
        "POSTGRES_DB",
        "POSTGRES_USER",
        "POSTGRES_PASSWORD",
        "DB_CONNECT_TIMEOUT",
        "DB_STATEMENT_TIMEOUT",
    )
    return {
        **own,
        **{name: stack[name] for name in (*passed, "REDIS_PASSWORD", "CHANNEL_LAYER") if name in stack},
        "PGBOUNCER_HOST": "127.0.0.1",
        "PGBOUNCER_PORT": str(ports.pgbouncer),
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(ports.sidecar),
        "CACHE_URL": f"{redis}/0",
        "CHANNEL_LAYER_URL": f"{redis}/1",
        "CELERY_BROKER_URL": f"{redis}/2",
        "CELERY_RESULT_BACKEND": f"{redis}/2",
        "MEDIA_ROOT": str(media),
        "PYTHONUNBUFFERED": "1",
    }
