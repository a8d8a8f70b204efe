"""promtool: this machine's, or Debian's unpacked under /var/cache: installing it would start a server."""

import os
import shutil
import subprocess

from engine import CACHE
from standins import packages


def program():
    """None where it is not installed and may not be unpacked."""
    if found := shutil.which("promtool"):
        return found
    place = CACHE / "prometheus"
    found = place / "usr" / "bin" / "promtool"
    if not found.exists() and os.geteuid() == 0:
        place.mkdir(parents=True, exist_ok=True)
        download(place, packages("unpacked").split())
        for package in place.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, place], check=True)
            package.unlink()
    return found if found.exists() else None


def download(place, names):
    """The lists of packages may be missing, or older than the archive."""
    fetch = ["apt-get", "download", *names]
    if subprocess.run(fetch, cwd=place, capture_output=True, timeout=300).returncode:
        subprocess.run(["apt-get", "update"], check=True, capture_output=True, timeout=300)
        subprocess.run(fetch, cwd=place, check=True, capture_output=True, timeout=300)
