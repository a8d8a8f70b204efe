"""Fan-out through the sidecar beside Redis itself, and its channel layer beside those of channels_redis.

Contenders are interleaved in one run. Judge by CPU a delivery and by ratios of the same round: load, Redis
and sidecar share the machine.
"""

import argparse
import contextlib
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.channels import measure, report, workloads
from bench.proxy import processes
from bench.proxy.figures import Records
from bench.proxy.picture import caption
from bench.proxy.report import machine, version

ROOT = Path(__file__).resolve().parents[2]
ROUNDS, QUICK_ROUNDS, QUICK_DIVISOR = 5, 2, 2


@dataclass(frozen=True)
class Stand:
    redis: processes.Server
    sidecar: processes.Server
    sidecar_bench: Path
    micro: Path
    python: Path
    package: Path


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench channels", description=__doc__)
    parser.add_argument("--rounds", type=int, help=f"{ROUNDS}; with --quick {QUICK_ROUNDS}")
    parser.add_argument("--quick", action="store_true", help="half the time of each turn")
    parser.add_argument("--only", action="append", metavar="WORKLOAD", help="repeatable; a prefix will do")
    parser.add_argument("--list", action="store_true", help="names the workloads")
    parser.add_argument("--sidecar", type=Path, default=ROOT / "build/release/sidecar/sidecar")
    parser.add_argument("--bench-build", type=Path, default=ROOT / "build/bench/bench", metavar="FOLDER")
    parser.add_argument(
        "--python", type=Path, default=ROOT / "build/venv/bin/python", help="with channels_redis"
    )
    parser.add_argument(
        "--nice", type=int, default=0, metavar="N",
        help="priority of all that is measured; below 0, as root, other work on the machine disturbs less",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, default=ROOT / "build/bench-results/channels.json")
    return parser.parse_args()


@contextlib.contextmanager
def opened(options):
    """Redis and one sidecar before it, as it ships but with one thread; all is stopped in the end."""
    processes.raise_descriptor_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with contextlib.ExitStack() as stack:
        stack.enter_context(processes.machine_to_ourselves())
        stack.enter_context(processes.priority(options.nice))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sidecar-bench-"))

        def started(server):
            stack.callback(server.stop)
            server.wait_until_it_serves()
            return server

        redis = started(processes.redis_server(folder))
        sidecar = started(processes.sidecar("sidecar", options.sidecar.resolve(), redis.port, folder))
        tools = options.bench_build.resolve()
        yield Stand(
            redis,
            sidecar,
            tools / "load/sidecar-bench",
            tools / "micro_instructions",
            options.python.absolute(),
            ROOT / "channels/python",
        )


def tell(record):
    cells = "  ".join(
        f"{name} {record[name]:.4g}"
        for name in ("server_cpu_us", "deliveries_per_second", "p99_us", "last_us", "redis_bytes", "faults")
        if name in record
    )
    print(
        f"  round {record['round'] + 1}  {record['workload']:<13}{record['contender']:<9}{cells}",
        file=sys.stderr,
    )


def main():
    options = arguments()
    if options.list:
        print("\n".join(f"{each.name:<14}{each.words}" for each in workloads.ALL))
        return 0
    selected = workloads.chosen(options.only)
    count = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    conditions = {"started": time.strftime("%Y-%m-%dT%H:%M:%S"), "machine": machine()}
    conditions |= {"redis": version("redis-server", "--version"), "steal_ticks": [processes.steal_ticks()]}
    raw = []
    with opened(options) as stand:
        for record in measure.rounds(selected, stand, count, QUICK_DIVISOR if options.quick else 1):
            tell(record)
            raw.append(record)
        raw += measure.allocations(stand)
    conditions["steal_ticks"].append(processes.steal_ticks())
    records = Records(raw)
    print(report.text(records))
    report.save(options.output, raw, conditions, records)
    drawing = options.output.with_suffix(".svg")
    drawing.write_text(report.svg(records, caption(records, conditions)))
    print(f"every turn: {options.output}, as a picture: {drawing}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
