"""The files themselves: valid, complete, documented; needs no engine."""

import json
import re
import subprocess
import tempfile

import pytest
from compose.native.settings import read_env
from environment import ROOT

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


def test_redis_and_postgresql_are_not_published_and_share_no_network_with_services():
    services = yaml_of(config("docker-compose.yml", ENV_FILE=".env.example").stdout)["services"]
    for name in ("redis", "postgres"):
        assert "ports" not in services[name]
        assert set(services[name]["networks"]) == {"data"}
    for name in ("user-service", "ticket-service", "communication-service", "file-service", "file-worker"):
        assert set(services[name]["networks"]) == {"services"}


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
