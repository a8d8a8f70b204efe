"""The program as people and health checks call it: help, version, bad usage, `sidecar check`."""

import os
import subprocess

import pytest

from support import Certificates
from support.sidecar import binary


def run(*arguments, env=None):
    """(exit status, stdout, stderr), without the settings of whoever runs the tests."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SIDECAR_", "REDIS_"))}
    done = subprocess.run(
        [binary(), *map(str, arguments)], capture_output=True, text=True, timeout=60, env=clean | (env or {})
    )
    return done.returncode, done.stdout, done.stderr


def test_help_and_version():
    status, text, _ = run("--help")
    assert status == 0 and "serve" in text and "check" in text
    status, text, _ = run("--version")
    assert status == 0 and text.startswith("sidecar ")
    status, text, _ = run("serve", "--help")
    assert status == 0 and "--client-output-max" in text and "SIDECAR_CLIENT_OUTPUT_MAX" in text
    status, text, _ = run("check", "--help")
    assert status == 0 and "--timeout" in text


@pytest.mark.parametrize(
    "arguments, env, named",
    [
        ((), {}, "no command"),
        (("sevre",), {}, "'sevre'"),
        (("serve", "--threads", "0"), {}, "--threads: '0'"),
        (("serve",), {"SIDECAR_THREADS": "0"}, "SIDECAR_THREADS: '0'"),
        (("serve", "--pasword", "secret"), {}, "'--pasword'"),
        (("check", "localhost"), {}, "'localhost'"),
        (("check", "--timeout", "never"), {}, "'never'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_bad_usage_is_one_line_and_exit_status_2(arguments, env, named):
    status, text, errors = run(*arguments, env=env)
    assert (status, text) == (2, "")
    assert named in errors and errors.startswith("sidecar: ") and errors.count("\n") == 1
    assert "secret" not in errors


def test_check_passes_against_a_sidecar(start):
    _, sidecar = start.both("--password", "secret")
    url = "redis://{}:{}".format(*sidecar.address)
    status, text, _ = run("check", url, env={"REDIS_PASSWORD": "secret"})
    assert status == 0, text
    assert [line.split(" redis")[0] for line in text.splitlines()] == ["db 0 ok", "db 1 ok", "db 2 ok"]
    assert sidecar.client(0, password="secret").command("DBSIZE") == 0
    status, text, _ = run("check", url.replace("//", "//:wrong@") + "/1")
    assert status == 1
    assert text.startswith("db 1 FAILED at auth: AUTH: WRONGPASS") and "wrong@" not in text
    status, text, _ = run("check", url)
    assert status == 1 and text.startswith("db 0 FAILED at ") and "NOAUTH" in text


def test_check_speaks_tls_and_verifies(start, tmp_path):
    certificates = Certificates(tmp_path)
    redis = start.redis(certificates=certificates, password="secret")
    status, text, _ = run("check", redis.tls_url, "--ca", certificates.ca)
    assert status == 0, text
    assert "secret" not in text
    by_name = redis.tls_url.replace("127.0.0.1", "localhost")
    status, text, _ = run("check", by_name, env={"SIDECAR_TLS_CA": str(certificates.ca)})
    assert status == 0, text
    status, text, _ = run("check", redis.tls_url)
    assert status == 1 and "certificate" in text


def test_check_takes_a_unix_socket(start):
    redis = start.redis()
    status, text, _ = run("check", redis.unix_url)
    assert status == 0, text


def test_check_ends_in_time_against_a_server_that_says_nothing(start):
    redis = start.redis()
    redis.command("CLIENT", "PAUSE", "60000", "ALL")
    status, text, _ = run("check", redis.url, "--timeout", "200ms")
    assert status == 1
    assert text.count("no answer in time") == 3
