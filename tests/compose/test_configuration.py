"""The files themselves: valid, complete, documented; needs no engine."""

import json
import os
import re
import subprocess
import tempfile

import pytest
from compose.native.settings import read_env
from environment import ROOT

from support.redis_server import RedisServer

COMPOSE = ROOT / "compose"
FILES = ("docker-compose.yml", "docker-compose.prod.yml", "docker-compose.engine25.yml")
# Of Compose itself.
OF_COMPOSE = {"COMPOSE_PROJECT_NAME"}
DOCUMENTED = set(read_env(COMPOSE / ".env.example"))


def used():
    names = set()
    for file in FILES:
        text = "\n".join(
            line for line in (COMPOSE / file).read_text().splitlines() if not line.strip().startswith("#")
        )
        names |= set(re.findall(r"(?<!\$)\$\{([A-Z_0-9]+)", text))
    return names


def config(*files, **changes):
    example = (COMPOSE / ".env.example").read_text()
    lines = [line for line in example.splitlines() if line.partition("=")[0] not in changes]
    with tempfile.NamedTemporaryFile("w", suffix=".env") as file:
        file.write("\n".join([*lines, *(f"{name}={value}" for name, value in changes.items())]) + "\n")
        file.flush()
        named = [part for each in files for part in ("-f", each)]
        command = ["docker-compose", "--env-file", file.name, *named, "config"]
        return subprocess.run(command, cwd=COMPOSE, capture_output=True, text=True)


def test_every_variable_of_the_compose_files_is_documented_and_every_documented_one_used():
    assert used() == DOCUMENTED - OF_COMPOSE


def test_every_documented_variable_has_a_comment_before_its_block():
    commented = False
    for line in (COMPOSE / ".env.example").read_text().splitlines():
        commented = line.startswith("#") or (commented and bool(line))
        if "=" in line and not line.startswith("#"):
            assert commented, f"{line}: nothing says what it is for"


def test_the_shipped_defaults_are_those_of_the_example():
    """Whoever leaves a line out gets what the example shows."""
    example = read_env(COMPOSE / ".env.example")
    text = (COMPOSE / "docker-compose.yml").read_text()
    for name, default in re.findall(r"\$\{([A-Z_0-9]+):-([^}]*)\}", text):
        assert example[name] == default, name


def test_compose_v1_takes_the_shipped_file_and_the_production_override():
    for files in (["docker-compose.yml"], ["docker-compose.yml", "docker-compose.prod.yml"]):
        result = config(*files, ENV_FILE=".env.example", REDIS_PASSWORD="x")
        assert result.returncode == 0, result.stderr


def test_compose_v1_rejects_the_override_for_newer_engines_as_the_readme_says():
    result = config("docker-compose.yml", "docker-compose.engine25.yml", ENV_FILE=".env.example")
    assert result.returncode != 0 and "start_interval" in result.stderr


def test_health_checks_are_30_10_3_everywhere():
    result = config("docker-compose.yml", ENV_FILE=".env.example")
    services = yaml_of(result.stdout)["services"]
    for name, service in services.items():
        if name != "migrate":
            check = service["healthcheck"]
            assert (check["interval"], check["timeout"], check["retries"]) == ("30s", "10s", 3), name


HEALTH = {
    "postgres": 'pg_isready -U "$$POSTGRES_USER" -d "$$POSTGRES_DB"',
    "pgbouncer": "pg_isready -h localhost -p 6432",
    "redis": "sh /usr/local/etc/redis/health.sh",
    "sidecar": "sidecar check",
    "user-service": "python -m hdms_common.probe http://127.0.0.1:8001/health/",
    "ticket-service": "python -m hdms_common.probe http://127.0.0.1:8002/health/",
    "communication-service": "python -m hdms_common.probe http://127.0.0.1:8003/health/",
    "file-service": "python -m hdms_common.probe http://127.0.0.1:8005/health/",
    "file-worker": "python -m hdms_common.worker_health file_service",
}
SERVICES = tuple(name for name in HEALTH if name.endswith(("-service", "-worker")))


def shipped():
    return yaml_of(config("docker-compose.yml", ENV_FILE=".env.example").stdout)


def test_each_container_asks_what_it_is_for():
    services = shipped()["services"]
    asked = {
        name: " ".join(service["healthcheck"]["test"][1:])
        for name, service in services.items()
        if "healthcheck" in service
    }
    assert asked == HEALTH


def test_everything_is_restarted_but_the_one_shot():
    policies = {name: service["restart"] for name, service in shipped()["services"].items()}
    assert policies.pop("migrate") == "no"
    assert set(policies) == set(HEALTH) and set(policies.values()) == {"unless-stopped"}


def test_services_wait_for_healthy_stores_and_for_the_migrations():
    services = shipped()["services"]
    wanted = {
        "pgbouncer": {"condition": "service_healthy"},
        "sidecar": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }
    for name in SERVICES:
        assert services[name]["depends_on"] == wanted, name
    assert services["sidecar"]["depends_on"] == {"redis": {"condition": "service_healthy"}}
    assert services["pgbouncer"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_an_image_is_built_before_any_service_needs_it():
    """Compose v1 takes services in the order of their dependencies, and pulls what nobody has built yet."""
    services = shipped()["services"]
    builders = {service["image"]: name for name, service in services.items() if "build" in service}
    assert len(builders) == 3
    for name, service in services.items():
        builder = builders.get(service["image"], name)
        assert builder == name or builder in service["depends_on"], name


def test_stores_have_named_volumes_and_the_data_network_leads_nowhere():
    found = shipped()
    mounts = {
        name: [part for volume in service.get("volumes", []) for part in volume.split(":")[:2]]
        for name, service in found["services"].items()
    }
    assert mounts["postgres"][:2] == ["postgres-data", "/var/lib/postgresql/data"]
    assert mounts["pgbouncer"] == ["pgbouncer-config", "/etc/pgbouncer"]
    assert mounts["redis"][:2] == ["redis-data", "/data"]
    assert {"postgres-data", "pgbouncer-config", "redis-data"} <= set(found["volumes"])
    assert found["networks"]["data"]["internal"] is True


def test_the_worker_may_finish_what_it_does_and_what_a_dead_one_held_is_restored():
    services = shipped()["services"]
    assert services["file-worker"]["stop_grace_period"] == "30s"
    assert services["sidecar"]["environment"]["SIDECAR_BROKER_ORPHANS"] == "restore"


def test_redis_and_postgresql_are_not_published_and_share_no_network_with_services():
    services = yaml_of(config("docker-compose.yml", ENV_FILE=".env.example").stdout)["services"]
    for name in ("redis", "postgres"):
        assert "ports" not in services[name]
        assert set(services[name]["networks"]) == {"data"}
    for name in ("user-service", "ticket-service", "communication-service", "file-service", "file-worker"):
        assert set(services[name]["networks"]) == {"services"}


@pytest.mark.parametrize(("password", "status"), [("right", 0), ("wrong", 1), ("", 1)])
def test_the_health_check_of_redis_is_not_deceived_by_an_error_reply(password, status):
    """redis-cli ping ends with 0 on NOAUTH too."""
    with RedisServer(password="right") as server:
        environment = {
            "PATH": os.environ["PATH"],
            "REDIS_PASSWORD": password,
            "REDIS_CLI_FLAGS": f"-p {server.port}",
        }
        script = ["sh", COMPOSE / "redis" / "health.sh"]
        result = subprocess.run(script, env=environment, capture_output=True, text=True)
    assert result.returncode == status, result.stderr
    assert status == 0 or "NOAUTH" in result.stderr or "WRONGPASS" in result.stderr


def yaml_of(text):
    """docker-compose's own Python has the parser."""
    script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"
    result = subprocess.run(
        ["/usr/bin/python3", "-c", script], input=text, capture_output=True, text=True, check=True
    )
    return json.loads(result.stdout)


@pytest.mark.parametrize("name", [".env", "staging.env"])
@pytest.mark.parametrize("folder", [".", "services/user_service", "services/file_service"])
def test_env_files_are_ignored_by_git(folder, name):
    assert subprocess.run(["git", "-C", COMPOSE / folder, "check-ignore", "-q", name]).returncode == 0


def test_the_pooler_reads_no_variable_that_compose_does_not_give_it():
    script = (COMPOSE / "pgbouncer" / "generate.sh").read_text()
    read = set(re.findall(r"\$\{([A-Z_]+):-", script))
    services = yaml_of(config("docker-compose.yml", ENV_FILE=".env.example").stdout)["services"]
    given = set(services["pgbouncer"]["environment"])
    own_of_native = {"POSTGRES_PORT", "PGBOUNCER_LISTEN", "PGBOUNCER_PORT"}
    of_production = {"PGBOUNCER_TLS_CERT", "PGBOUNCER_TLS_KEY", "PGBOUNCER_TLS_CA", "PGBOUNCER_SERVER_CA"}
    assert read - own_of_native - of_production <= given
