"""The two releases of Celery that everything is shown with: the newest, and the one of Debian 12."""

import enum
import pathlib
import sys

from support import debian_python

SUITE = pathlib.Path(__file__).resolve().parents[1]
DEBIAN_PINS = SUITE / "debian12.txt"


class Environment(enum.Enum):
    newest = "newest"
    debian12 = "debian12"

    @property
    def python(self):
        if self is Environment.newest:
            return sys.executable
        return debian_python.installed(DEBIAN_PINS, "celery-debian12")
