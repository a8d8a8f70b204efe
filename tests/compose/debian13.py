"""Docker Engine 26 and Compose v2 from Debian 13's archive, unpacked beside this machine's own: for what
Debian 12 is too old to show. Its runc wants a newer C library, so the engine runs this machine's."""

import os
import subprocess
import sys

from engine import CACHE, start_own

PACKAGES = ("docker-compose", "docker.io", "docker-cli", "containerd")
# Its bridges and rules lie in a network of their own, since engines of one network take each other's away.
LOOPBACK_UP = """
import fcntl, os, socket, struct, sys
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
os.execvp(sys.argv[1], sys.argv[1:])
"""
PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"


def unpacked():
    """The folder with usr/bin and usr/sbin; downloaded once for this machine."""
    place = CACHE / "debian13"
    root = place / "root"
    if (place / "complete").exists():
        return root
    for folder in ("lists/partial", "archives/partial", "packages"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    mirror = mirror_of_this_machine()
    (place / "sources.list").write_text(f"deb {mirror} trixie main\n")
    (place / "apt.conf").write_text(
        f'Dir::Etc::SourceList "{place}/sources.list";\nDir::Etc::SourceParts "-";\n'
        f'Dir::State::Lists "{place}/lists";\nDir::Cache "{place}/archives";\nAPT::Sandbox::User "root";\n'
    )
    environment = {**os.environ, "APT_CONFIG": str(place / "apt.conf")}
    for command in (["apt-get", "update"], ["apt-get", "download", *PACKAGES]):
        subprocess.run(
            command, check=True, capture_output=True, env=environment, cwd=place / "packages", timeout=300
        )
    for package in (place / "packages").glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, root], check=True)
        package.unlink()
    (place / "complete").touch()
    return root


def mirror_of_this_machine():
    from standins import debian_sources

    return debian_sources()[0]


def compose_v2():
    """The command, which needs no engine to check files."""
    return unpacked() / PLUGIN


def start_engine():
    root = unpacked()
    path = f"{root}/usr/bin:{root}/usr/sbin:{os.environ['PATH']}"
    (root / "usr/bin/runc").unlink(missing_ok=True)
    (root / "usr/sbin/runc").unlink(missing_ok=True)
    others = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
    environment = {**others, "PATH": path, "DOCKER_BUILDKIT": "0"}
    return start_own(
        environment, data="docker26", before=["unshare", "--net", sys.executable, "-c", LOOPBACK_UP]
    )
