"""Makes the stand-ins for the images that the compose file names, see standins/README.md.

Docker's own build cache decides what is made anew; only the bare Debian is looked up here, by its name.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

from compose.native import postgres

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PREFIX = "hdms-standin"
DEBIAN = f"{PREFIX}/debian:bookworm-slim"
PYTHON = f"{PREFIX}/python:3.11-slim-bookworm"
REDIS = f"{PREFIX}/redis:7"
POSTGRES = f"{PREFIX}/postgres:16"
NETWORK = ("--network", "host")
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def packages(group):
    command = ["sh", ROOT / "compose" / "packages_of.sh", group, ROOT / ".ci" / "packages.txt"]
    return " ".join(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def debian_sources():
    """(mirror, sources.list) of this machine, as it installs Debian 12 itself."""
    script = f". {ROOT}/tests/fresh/sources.sh; debian_sources"
    lines = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split("\n")
    entries = [line.split() for line in lines if line]
    mirror = next(uri for uri, suite in entries if suite == "bookworm")
    return mirror, "".join(f"deb {uri} {suite} main\n" for uri, suite in entries)


def make_debian(engine):
    if engine.run("image", "inspect", DEBIAN, check=False).returncode == 0:
        return
    mirror, sources = debian_sources()
    with tempfile.TemporaryDirectory(prefix="stand-in-") as folder:
        target = pathlib.Path(folder) / "root"
        log = subprocess.run(
            ["debootstrap", "--variant=minbase", "bookworm", target, mirror], capture_output=True, text=True
        )
        assert log.returncode == 0, f"debootstrap: {log.stdout[-2000:]}"
        (target / "etc/apt/sources.list").write_text(sources)
        shutil.rmtree(target / "var/lib/apt/lists")
        for archive in (target / "var/cache/apt/archives").glob("*.deb"):
            archive.unlink()
        (target / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (target / "usr/sbin/policy-rc.d").chmod(0o755)
        changes = network_settings(target)
        with subprocess.Popen(["tar", "-C", target, "-c", "."], stdout=subprocess.PIPE) as tar:
            engine.run("import", *changes, "-", DEBIAN, stdin=tar.stdout)


def network_settings(target):
    """What this machine needs to reach its package sources goes into the image: authorities, pip's settings."""
    changes = ["--change", "CMD bash"]
    for file in (AUTHORITIES, "/etc/pip.conf"):
        if pathlib.Path(file).exists():
            (target / file[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target / file[1:])
    for name, value in os.environ.items():
        if name.startswith("PIP_") and name != "PIP_FIND_LINKS":
            changes += ["--change", f"ENV {name}={value}"]
    return changes


def build(engine, name, tag, folder=HERE / "standins", **arguments):
    command = ["build", *NETWORK, "--quiet", "-t", tag, "-f", HERE / "standins" / f"{name}.Dockerfile"]
    arguments = {"DEBIAN_IMAGE": DEBIAN, "PACKAGES": packages(f"stand-in-{name}"), **arguments}
    for key, value in arguments.items():
        command += ["--build-arg", f"{key}={value}"]
    engine.run(*command, folder)


def make_all(engine, cache):
    make_debian(engine)
    build(engine, "python", PYTHON)
    build(engine, "redis", REDIS)
    with tempfile.TemporaryDirectory(prefix="stand-in-") as folder:
        context = pathlib.Path(folder)
        shutil.copytree(postgres.fetch(cache), context / "postgresql", symlinks=True)
        shutil.copy(HERE / "standins" / "postgres-entrypoint.sh", context)
        build(engine, "postgres", POSTGRES, folder=context)
    return {"DEBIAN_IMAGE": DEBIAN, "PYTHON_IMAGE": PYTHON, "REDIS_IMAGE": REDIS, "POSTGRES_IMAGE": POSTGRES}
