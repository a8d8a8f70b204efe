"""`manage.py check_connections`: what a service reaches, what failed, where, why, how long; no secrets."""

import json
import re

import pytest
from environment import SERVICES

OWN = {"communication-service": ["channels"], "file-service": ["broker"]}
LINE = r"^{name} +{outcome} +(\S.*?)  ([0-9.]+) ms"


def secrets_of(hdms):
    return [hdms.environment[name] for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD")]


@pytest.mark.parametrize("service", SERVICES)
def test_all_that_a_service_uses_is_told_with_its_place_and_time(hdms, service):
    told = hdms.stack.manage(service, "check_connections")
    names = ["database", "cache", *OWN.get(service, [])]
    for name in names:
        place, ms = re.search(LINE.format(name=name, outcome="ok"), told.stdout, re.MULTILINE).groups()
        assert ("as hdms" if name == "database" else "redis://") in place
        assert 0 < float(ms) < 5000
    assert len(told.stdout.splitlines()) == len(names)
    for secret in secrets_of(hdms):
        assert secret not in told.stdout + told.stderr


def test_as_json_for_programs(hdms):
    told = json.loads(hdms.stack.manage("file-service", "check_connections", "--json").stdout)
    assert told["service"] == "file-service"
    assert {each["name"]: each["ok"] for each in told["checks"]} == {
        "database": True,
        "cache": True,
        "broker": True,
    }


@pytest.mark.parametrize(
    ("away", "failing"), [("sidecar", {"cache", "broker", "channels"}), ("pgbouncer", {"database"})]
)
def test_what_is_away_is_told_with_cause_and_remedy_and_exit_code_1(hdms, away, failing):
    hdms.stack.stop(away)
    for service in ("communication-service", "file-service"):
        told = hdms.stack.manage(service, "check_connections", check=False)
        assert told.returncode == 1
        found = set(re.findall(r"^(\w+) +FAILED ", told.stdout, re.MULTILINE))
        assert found == failing & {"database", "cache", *OWN[service]}
        assert told.stdout.count("cause:") == told.stdout.count("remedy:") == len(found)
        assert away in told.stdout
        for secret in secrets_of(hdms):
            assert secret not in told.stdout + told.stderr


def test_health_tells_the_same_as_json(hdms):
    hdms.stack.stop("sidecar")
    answer = hdms.health("file-service")
    assert answer.status == 503
    checks = {each["name"]: each for each in answer.json()["checks"]}
    assert checks["database"]["ok"] and not checks["cache"]["ok"] and not checks["broker"]["ok"]
    for name in ("cache", "broker"):
        assert checks[name]["where"] and checks[name]["cause"] and checks[name]["remedy"]
    # Without its cache alone a service still serves: degraded, not failed.
    degraded = hdms.health("ticket-service")
    assert (degraded.status, degraded.json()["status"]) == (200, "degraded")
    for secret in secrets_of(hdms):
        assert secret.encode() not in answer.body + degraded.body
