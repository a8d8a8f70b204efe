"""The test stand: Redis and every contender, serving, and the options that say which."""

import argparse
import contextlib
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.proxy import processes, workloads

ROOT = Path(__file__).resolve().parents[2]
PEERS = ("direct", "nutcracker", "haproxy", "floor")


@dataclass(frozen=True)
class Tools:
    """The programs that make the load."""

    sidecar_bench: Path
    redis_benchmark: str = "redis-benchmark"


@dataclass(frozen=True)
class Stand:
    redis: processes.Server
    contenders: list
    tools: Tools


def build(text):
    name, separator, path = text.partition("=")
    if not separator or not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=PATH of a sidecar binary")
    return name, Path(path).resolve()


def add_options(parser):
    parser.add_argument("--only", action="append", metavar="WORKLOAD", help="repeatable; a prefix will do")
    parser.add_argument(
        "--contenders", metavar="NAME,…", help=f"of {','.join(PEERS)}; the sidecar is always one"
    )
    parser.add_argument("--sidecar", type=Path, default=ROOT / "build/release/sidecar/sidecar")
    parser.add_argument(
        "--contender", action="append", type=build, default=[], metavar="NAME=PATH",
        help="another build of the sidecar beside the first; repeatable",
    )  # fmt: skip
    parser.add_argument("--floor", type=Path, default=ROOT / "build/bench/bench/proxy/floor")
    parser.add_argument("--sidecar-bench", type=Path, default=ROOT / "build/bench/bench/load/sidecar-bench")
    parser.add_argument(
        "--nice", type=int, default=0, metavar="N",
        help="priority of all that is measured; below 0, as root, other work on the machine disturbs less",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="names the workloads")


def builds(options):
    """Every build of the sidecar, by name; the one to be judged first."""
    return {"sidecar": options.sidecar.resolve(), **dict(options.contender)}


@contextlib.contextmanager
def opened(options):
    """A stand whose contenders pair replies and clients rightly; all is stopped in the end."""
    processes.raise_descriptor_limit()
    # Ended from outside, it still stops what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    peers = [each for each in PEERS if options.contenders is None or each in options.contenders.split(",")]
    with contextlib.ExitStack() as stack:
        stack.enter_context(processes.machine_to_ourselves())
        stack.enter_context(processes.priority(options.nice))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sidecar-bench-"))

        def started(server):
            stack.callback(server.stop)
            server.wait_until_it_serves()
            return server

        redis = started(processes.redis_server(folder))
        start = {
            "direct": lambda: processes.Direct(redis),
            "nutcracker": lambda: started(processes.nutcracker(redis.port, folder)),
            "haproxy": lambda: started(processes.haproxy(redis.port, folder)),
            "floor": lambda: started(processes.floor(options.floor.resolve(), redis.port, folder)),
        }
        running = [
            started(processes.sidecar(name, path, redis.port, folder))
            for name, path in builds(options).items()
        ]
        running += [start[peer]() for peer in peers]
        tools = Tools(options.sidecar_bench.resolve())
        for contender in running:
            workloads.check_pairing(contender, tools)
        yield Stand(redis, running, tools)
