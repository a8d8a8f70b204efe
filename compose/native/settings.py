"""The environment of the stack: .env files as Compose reads them, and what differs without containers."""

import pathlib

WEB_PORTS = {
    "user-service": 8001,
    "ticket-service": 8002,
    "communication-service": 8003,
    "file-service": 8005,
}
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
    """A port for each listener, free(wanted, use): what the .env names is wanted, as published by Compose."""

    def __init__(self, free, values):
        def port(variable, default, use):
            return free(int(values.get(variable) or default), use)

        self.postgres = free(5432, "PostgreSQL")
        self.pgbouncer = port("PGBOUNCER_HOST_PORT", 6432, "PgBouncer")
        self.redis = free(6380, "Redis")
        self.sidecar = port("SIDECAR_HOST_PORT", 6379, "Sidecar")
        self.sidecar_http = port("SIDECAR_HTTP_HOST_PORT", 8379, "Sidecar's HTTP")
        self.services = {
            name: port(f"{name.replace('-', '_').upper()}_HOST_PORT", default, name)
            for name, default in WEB_PORTS.items()
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
