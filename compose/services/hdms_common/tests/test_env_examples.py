"""Each `.env.example` names the variables its service reads, no more and no fewer, and explains them."""

import json
import os
import re
import subprocess
import sys

import pytest

from hdms_common.environment import SERVICES_ROOT
from hdms_common.migrate_all import SERVICES

PROGRAM = """
import json, importlib, sys
print(json.dumps(sorted(importlib.import_module(sys.argv[1] + ".settings").HDMS_ENVIRONMENT)))
"""
# Read by processes that are no service, and documented with the stack.
OTHERS = {"hdms_common/migrate_all.py": {"MIGRATE_WAIT"}}
READS = re.compile(
    r"""\b(?:env|environment|Environment\(\))\.(?:str|optional|number|flag|choice|names|redis_url)\(\s*"([A-Z_]+)\""""
)


def listed(service):
    text = (SERVICES_ROOT / service / ".env.example").read_text()
    return re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", text, re.MULTILINE)


def asked(service, **variables):
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH")}
    command = [sys.executable, "-c", PROGRAM, service]
    done = subprocess.run(
        command, env={**kept, **variables}, cwd=SERVICES_ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def values_of(service):
    lines = (SERVICES_ROOT / service / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


@pytest.mark.parametrize("service", SERVICES)
def test_names_what_the_service_reads(service):
    names = listed(service)
    assert sorted(names) == asked(service, **values_of(service))


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_is_explained(service):
    lines = (SERVICES_ROOT / service / ".env.example").read_text().splitlines()
    above = ""
    for line in lines:
        if re.match(r"(# )?[A-Z][A-Z0-9_]*=", line):
            assert above.startswith("#") or re.match(r"(# )?[A-Z0-9_]+=", above), (
                f"{line} stands without a word"
            )
        above = line


@pytest.mark.parametrize("service", SERVICES)
def test_a_default_shown_is_the_default(service):
    """Setting what is commented out changes nothing."""
    text = (SERVICES_ROOT / service / ".env.example").read_text()
    shown = dict(re.findall(r"^# ([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))
    assert settings_with(service, {}) == settings_with(service, shown)


def settings_with(service, more):
    program = "import sys; import importlib; m = importlib.import_module"
    program += "(sys.argv[1] + '.settings'); print({k: v for k, v in sorted(vars(m).items()) if k.isupper()"
    program += " and k != 'HDMS_ENVIRONMENT'})"
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH")}
    command = [sys.executable, "-c", program, service]
    done = subprocess.run(
        command,
        env={**kept, **values_of(service), **more},
        cwd=SERVICES_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_environment_is_read_in_one_place():
    """By name and through Environment, so that the comparison above misses none."""
    for path in SERVICES_ROOT.rglob("*.py"):
        name = path.relative_to(SERVICES_ROOT).as_posix()
        if "/tests/" in name or name in ("prepare_database.py", "run_tests.py", "hdms_common/environment.py"):
            continue
        text = path.read_text()
        strange = re.findall(r"os\.(?:getenv|environ\[|environ\.get)", text)
        assert not strange, f"{name} reads the environment by itself"
        read = set(READS.findall(text))
        if name != "hdms_common/settings.py":
            assert read == OTHERS.get(name, set()), name
