"""`./dev stack`: the stack without containers, in one terminal; Ctrl-C stops all of it.

Its data stays in --folder. A port that is taken is named and the next free one used.
"""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading

from compose.native import postgres
from compose.native.settings import COMPOSE, Ports, env_of
from compose.native.stack import Stack, StartFailed, answers

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLOURS = (32, 33, 34, 35, 36, 92, 93, 94, 95, 96)


class Printer:
    """Lines of many processes, each with its name before it."""

    def __init__(self, colour):
        self.colour = colour
        self.names = {}
        self.lock = threading.Lock()

    def __call__(self, name, line):
        with self.lock:
            number = self.names.setdefault(name, len(self.names))
            head = f"{name:>21} | "
            if self.colour:
                head = f"\033[{COLOURS[number % len(COLOURS)]}m{head}\033[0m"
            print(f"{head}{line}", flush=True)


def next_free(wanted, use, taken):
    port = wanted
    while answers(port) or port in taken:
        port += 1
    taken.add(port)
    if port != wanted:
        print(f"port {wanted} is taken, using {port} for {use}", flush=True)
    return port


def reachable(folder, identity):
    """Whether PostgreSQL's user may enter: a clone in a home of root's is closed to it."""
    if not identity:
        return True
    command = ["setpriv", f"--reuid={identity[0]}", f"--regid={identity[1]}", "--clear-groups", "test", "-x"]
    return subprocess.run([*command, str(folder)]).returncode == 0


def place(folder):
    """The folder itself, or one beside the system's variable data when PostgreSQL's user cannot enter it."""
    folder.mkdir(parents=True, exist_ok=True)
    if reachable(folder, postgres.unprivileged()):
        return folder
    other = pathlib.Path("/var/lib/hdms-stack") / folder.name
    other.mkdir(parents=True, exist_ok=True)
    print(f"{folder} is closed to PostgreSQL's user, using {other}", flush=True)
    return other


def print_addresses(ports):
    services = ports.services
    print(f"""
HDMS runs. Try in another terminal:
  http://127.0.0.1:{services["communication-service"]}/     the chat: open it in two tabs
  curl http://127.0.0.1:{services["user-service"]}/health/
  curl -F file=@README.md http://127.0.0.1:{services["file-service"]}/api/files/
  redis-cli -p {ports.sidecar} ping
  curl http://127.0.0.1:{ports.sidecar_http}/metrics
Ctrl-C stops everything; the data stays.
""")


def main():
    parser = argparse.ArgumentParser(prog="./dev stack", description=__doc__)
    parser.add_argument("--folder", type=pathlib.Path, help="its data; build/stack/PROJECT when not named")
    parser.add_argument(
        "--env-file", default=".env", help="of compose/; another COMPOSE_PROJECT_NAME has data of its own"
    )
    parser.add_argument("--sidecar", default=ROOT / "build" / "sidecar", help="the binary")
    parser.add_argument("--fresh", action="store_true", help="forget the data of earlier runs")
    options = parser.parse_args()
    if options.env_file != ".env" and not (COMPOSE / options.env_file).is_file():
        parser.error(f"there is no {COMPOSE / options.env_file}")
    values = env_of(COMPOSE, options.env_file)
    project = values.get("COMPOSE_PROJECT_NAME") or "hdms"
    folder = place((options.folder or ROOT / "build" / "stack" / project).resolve())
    if options.fresh:
        shutil.rmtree(folder)
        folder.mkdir()
    cached = place(ROOT / "build" / "stack" / "postgresql")
    taken = set()
    ports = Ports(lambda wanted, use: next_free(wanted, use, taken), values)
    stack = Stack(
        folder,
        ports,
        sidecar=options.sidecar,
        programs=postgres.fetch(cached),
        python=sys.executable,
        on_line=Printer(sys.stdout.isatty() and not os.environ.get("NO_COLOR")),
        env_file=options.env_file,
    )
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: interrupt(ended))
    try:
        stack.start()
        print_addresses(ports)
        ended.wait()
    except StartFailed as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stack: interrupted", flush=True)
    finally:
        stack.stop()
    return 0


def interrupt(ended):
    """The first ends the waiting, or what still starts; the stop that follows is not interrupted again."""
    if not ended.is_set():
        ended.set()
        raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
