"""The services' own tests, against a real PostgreSQL, PgBouncer, Redis and Sidecar started for them.

build/stack/venv/bin/python compose/services/run_tests.py [SERVICE...] [-- PYTEST ARGUMENTS]

CHANNEL_LAYER=channels_redis tests the chat with that layer.
"""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

SERVICES = Path(__file__).resolve().parent
ROOT = SERVICES.parents[1]
sys.path.insert(0, str(ROOT))

from compose.native import postgres  # noqa: E402 - found by the path set above
from compose.native.settings import Ports  # noqa: E402
from compose.native.stack import Stack  # noqa: E402

NAMES = ("hdms_common", "user_service", "ticket_service", "communication_service", "file_service")
STORES = ("postgres", "pgbouncer", "redis", "sidecar")
PROGRAMS = Path("/var/cache/sidecar-stack/postgresql")


def free_port(*_):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def run(stack, service, arguments):
    """Each in a process of its own: Django has one set of settings."""
    settings = "ticket_service" if service == "hdms_common" else service
    environment = {
        **os.environ,
        **stack.environment_of(settings.replace("_", "-")),
        "DJANGO_SETTINGS_MODULE": f"{settings}.settings",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=120"]
    command += ["-c", SERVICES / "pytest.ini", SERVICES / service, *arguments]
    return subprocess.run(command, env=environment, cwd=SERVICES).returncode


def main():
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    names, arguments = words[:end], words[end + 1 :]
    sidecar = os.environ.get("SIDECAR_BIN", ROOT / "build" / "sidecar")
    with tempfile.TemporaryDirectory(prefix="hdms-tests-") as folder:
        os.chmod(folder, 0o755)
        lines = []
        stack = Stack(
            Path(folder),
            Ports(free_port, {}),
            sidecar=sidecar,
            programs=postgres.fetch(PROGRAMS),
            python=sys.executable,
            on_line=lambda name, line: lines.append(f"{name} | {line}"),
            environment={
                "PGBOUNCER_QUERY_WAIT_TIMEOUT": "1",
                "CHANNEL_LAYER": os.environ.get("CHANNEL_LAYER", "sidecar"),
            },
        )
        try:
            stack.prepare()
            for name in STORES:
                stack.start_and_wait(name, getattr(stack.ports, name))
            stack.migrate()
            codes = [run(stack, name, arguments) for name in names or NAMES]
        except BaseException:
            print("\n".join(lines[-40:]), file=sys.stderr)
            raise
        finally:
            stack.stop()
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
