"""Compose v2 takes every shipped file, and Engine 25 and later is ready sooner, by the override for it."""

import os
import pathlib
import subprocess
import time

import debian13
import pytest
from docker_stack import CONTAINERS
from environment import ROOT, Environment

COMPOSE = ROOT / "compose"
OVERRIDES = ((), ("prod",), ("engine25",), ("prod", "engine25"))


@pytest.fixture(scope="module")
def compose_v2(engine):
    if os.geteuid() != 0:
        pytest.skip("unpacks packages of Debian 13 below /var/cache: needs root")
    return debian13.compose_v2()


def named(overrides):
    files = ["docker-compose.yml", *(f"docker-compose.{each}.yml" for each in overrides)]
    return [part for file in files for part in ("-f", file)]


@pytest.mark.parametrize("overrides", OVERRIDES, ids=lambda each: "+".join(("base", *each)))
def test_compose_v2_takes_the_shipped_files(compose_v2, overrides, tmp_path):
    example = (COMPOSE / ".env.example").read_text()
    file = pathlib.Path(tmp_path) / "env"
    file.write_text(f"{example}\nREDIS_PASSWORD=x\nENV_FILE=.env.example\n")
    command = [compose_v2, "--env-file", file, *named(overrides), "config", "-q"]
    result = subprocess.run(command, cwd=COMPOSE, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.timeout(400, func_only=True)
def test_ready_sooner_on_engine_26_with_start_interval(engine, images, compose_v2, table):
    if engine is None:
        pytest.skip("needs an engine")
    newer = debian13.start_engine()
    environment = Environment(**images, POSTGRES_PASSWORD="x")
    command = [compose_v2, *named(["engine25"])]

    def compose(*arguments):
        return subprocess.run(
            [*command, *arguments],
            cwd=environment.compose,
            env=newer.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    try:
        hand_over_images(engine, newer, images)
        began = time.monotonic()
        up = compose("up", "-d", "--wait", *CONTAINERS)
        seconds = time.monotonic() - began
        assert up.returncode == 0, up.stderr[-3000:]
        table.append(f"{'`up --wait`, Engine 26, Compose v2, start_interval 1 s':<62} {seconds:7.2f} s")
        for port in (8001, 8003):
            probe = f"python -m hdms_common.probe http://127.0.0.1:{port}/health/"
            name = "user-service" if port == 8001 else "communication-service"
            assert compose("exec", "-T", name, *probe.split()).returncode == 0
    finally:
        compose("down", "--volumes", "--timeout", "3")
        environment.remove()
        newer.stop()


def hand_over_images(engine, newer, images):
    names = [images[f"{name}_IMAGE"] for name in ("POSTGRES", "REDIS", "SIDECAR", "PGBOUNCER", "SERVICES")]
    with subprocess.Popen(
        ["docker", "save", *names], env=engine.environment, stdout=subprocess.PIPE
    ) as saved:
        newer.run("load", "--quiet", stdin=saved.stdout)
