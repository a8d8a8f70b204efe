"""Makes the stand-ins for the images that the compose file names, see standins/README.md.

Docker's own build cache decides what is made anew; the bare Debian carries a label with its recipe.
"""

import hashlib
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
KEEP_NOTHING = 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };\n'
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def packages(group):
    command = ["sh", ROOT / "compose" / "packages_of.sh", group, ROOT / ".ci" / "packages.txt"]
    return " ".join(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def debian_sources():
    """(mirror, sources.list) of this machine, as it installs Debian 12 itself."""
    script = f". {ROOT}/tests/fresh/sources.sh; debian_sources"
    lines = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    entries = [line.split() for line in lines if line]
    mirror = next(uri for uri, suite in entries if suite == "bookworm")
    return mirror, "".join(f"deb {uri} {suite} main\n" for uri, suite in entries)


def make_debian(engine):
    mirror, sources = debian_sources()
    recipe = hashlib.sha256((mirror + sources + pathlib.Path(__file__).read_text()).encode()).hexdigest()
    known = engine.run(
        "image", "inspect", "--format", '{{index .Config.Labels "recipe"}}', DEBIAN, check=False
    )
    if known.stdout.strip() == recipe:
        return
    with tempfile.TemporaryDirectory(prefix="stand-in-") as folder:
        target = pathlib.Path(folder) / "root"
        command = ["debootstrap", "--variant=minbase", "bookworm", target, mirror]
        made = subprocess.run(command, capture_output=True, text=True)
        assert made.returncode == 0, f"debootstrap: {made.stdout[-2000:]}"
        shutil.rmtree(target / "var/lib/apt/lists")
        for archive in (target / "var/cache/apt/archives").glob("*.deb"):
            archive.unlink()
        write(target / "etc/apt/sources.list", sources)
        write(target / "etc/apt/apt.conf.d/docker-clean", KEEP_NOTHING)
        write(target / "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n").chmod(0o755)
        changes = ["--change", "CMD bash", "--change", f"LABEL recipe={recipe}", *network_settings(target)]
        with subprocess.Popen(["tar", "-C", target, "-c", "."], stdout=subprocess.PIPE) as tar:
            engine.run("import", *changes, "-", DEBIAN, stdin=tar.stdout)


def write(path, text):
    path.write_text(text)
    return path


def network_settings(target):
    """What this machine needs to reach its package sources goes into the image."""
    changes = []
    if pathlib.Path(AUTHORITIES).exists():
        (target / "etc/stand-in").mkdir()
        shutil.copy(AUTHORITIES, target / "etc/stand-in/authorities.crt")
        changes += ["--change", "ENV PIP_CERT=/etc/stand-in/authorities.crt"]
    if pathlib.Path("/etc/pip.conf").exists():
        shutil.copy("/etc/pip.conf", target / "etc/pip.conf")
    for name, value in os.environ.items():
        if name.startswith("PIP_") and name not in ("PIP_CERT", "PIP_FIND_LINKS"):
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
