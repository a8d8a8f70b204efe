"""The production override: refuses to start without passwords, and serves with TLS and read-only roots."""

import subprocess

import pytest
from docker_stack import CONTAINERS, QUICK, DockerStack
from environment import ROOT, SERVICES, Environment
from hdms import Hdms
from redis.exceptions import RedisError
from test_story_3_broker import finished, send

FILES = ("docker-compose.yml", "docker-compose.prod.yml", QUICK)


@pytest.fixture(scope="module")
def production(engine, images):
    if engine is None:
        pytest.skip("needs an engine")
    environment = Environment(**images, POSTGRES_PASSWORD="prod-secret", REDIS_PASSWORD="prod-redis-secret")
    subprocess.run(
        ["sh", environment.compose / "tls" / "make_certificates.sh"], check=True, capture_output=True
    )
    stack = DockerStack(engine, environment, FILES)
    try:
        stack.up()
        yield Hdms(stack)
    finally:
        stack.close()


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "REDIS_PASSWORD"])
@pytest.mark.parametrize("value", ["", None])
def test_an_empty_password_is_refused(name, value, tmp_path):
    lines = (ROOT / "compose" / ".env.example").read_text().splitlines()
    lines = [line for line in lines if not line.startswith(("POSTGRES_PASSWORD=", "REDIS_PASSWORD="))]
    others = {"POSTGRES_PASSWORD": "x", "REDIS_PASSWORD": "x", "ENV_FILE": ".env.example", name: value}
    lines += [f"{key}={text}" for key, text in others.items() if text is not None]
    (tmp_path / "env").write_text("\n".join(lines))
    command = ["docker-compose", "--env-file", tmp_path / "env"]
    command += [
        "-f",
        ROOT / "compose/docker-compose.yml",
        "-f",
        ROOT / "compose/docker-compose.prod.yml",
        "config",
        "-q",
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode != 0
    assert name in result.stderr


def test_everything_works_over_tls(production):
    production.wait_connected()
    assert finished(production, send(production, "note.txt", b"nothing bad"))["state"] == "done"
    with production.connect(sslmode="require") as connection:
        assert connection.info.pgconn.ssl_in_use


def test_in_clear_nobody_is_served(production):
    with pytest.raises(Exception, match="SSL required"):
        production.connect(sslmode="disable")
    with pytest.raises(RedisError):
        production.redis().ping()


def test_pgbouncer_and_postgresql_speak_tls(production):
    rows = production.sql(
        "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL"
    )
    assert rows == [(True,)]


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_root_file_system_is_read_only_and_limits_hold(production, name):
    host = production.stack.inspect(name)["HostConfig"]
    assert host["ReadonlyRootfs"] and host["Memory"] > 0 and host["NanoCpus"] > 0
    assert production.stack.execute(name, "sh", "-c", "echo x > /etc/x", check=False).returncode != 0


@pytest.mark.parametrize("name", ["pgbouncer", "sidecar", *SERVICES, "file-worker"])
def test_nothing_runs_as_root(production, name):
    assert production.stack.execute(name, "id", "-u").stdout.strip() != "0"
