"""The sidecar beside its peers: Redis itself, nutcracker, HAProxy, and the floor, interleaved in one run.

CPU per command comes from the scheduler's accounting. Load, Redis and proxy share the machine, so judge by
CPU per command and by ratios of the same round, not by throughput.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.proxy import figures, measure, picture, processes, report, workloads

ROOT = Path(__file__).resolve().parents[2]
PEERS = ("direct", "nutcracker", "haproxy", "floor")


@dataclass(frozen=True)
class Tools:
    """The programs that make the load."""

    sidecar_bench: Path
    redis_benchmark: str = "redis-benchmark"


def build(text):
    name, separator, path = text.partition("=")
    if not separator or not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=PATH of a sidecar binary")
    return name, Path(path).resolve()


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench proxy", description=__doc__)
    parser.add_argument("--rounds", type=int, help="5; with --quick 3")
    parser.add_argument("--quick", action="store_true", help="a quarter of the requests")
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
    parser.add_argument("--output", type=Path, default=ROOT / "build/bench-results/proxy.json")
    parser.add_argument(
        "--nice", type=int, default=0, metavar="N",
        help="priority of all that is measured; below 0, as root, other work on the machine disturbs less",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="names the workloads")
    return parser.parse_args()


def chosen(only):
    if not only:
        return workloads.ALL
    found = [each for each in workloads.ALL if each.name.startswith(tuple(only))]
    if not found:
        raise SystemExit(f"no workload is named {' or '.join(only)}: --list names them")
    return found


@contextlib.contextmanager
def contenders(builds, peers, floor):
    """Redis and every contender, serving; all stopped in the end."""
    with tempfile.TemporaryDirectory(prefix="sidecar-bench-") as folder, contextlib.ExitStack() as stack:

        def started(server):
            stack.callback(server.stop)
            server.wait_until_it_serves()
            return server

        redis = started(processes.redis_server(folder))
        start = {
            "direct": lambda: processes.Direct(redis),
            "nutcracker": lambda: started(processes.nutcracker(redis.port, folder)),
            "haproxy": lambda: started(processes.haproxy(redis.port, folder)),
            "floor": lambda: started(processes.floor(floor, redis.port, folder)),
        }
        running = [
            started(processes.sidecar(name, path, redis.port, folder)) for name, path in builds.items()
        ]
        running += [start[peer]() for peer in peers]
        yield redis, running


def tell(record):
    cpu = f"{record['proxy_cpu_us']:7.2f} us" if "proxy_cpu_us" in record else " " * 10
    print(
        f"  round {record['round'] + 1}  {record['workload']:<13}{record['contender']:<14}{cpu}"
        f"  redis {record['redis_cpu_us']:6.2f} us  {record['rps'] / 1000:7.1f} k/s"
        f"  {record['seconds']:.1f} s",
        file=sys.stderr,
    )


def main():
    options = arguments()
    if options.list:
        print("\n".join(each.name for each in workloads.ALL))
        return 0
    selected = chosen(options.only)
    builds = {"sidecar": options.sidecar.resolve(), **dict(options.contender)}
    peers = [each for each in PEERS if options.contenders is None or each in options.contenders.split(",")]
    count = options.rounds or (3 if options.quick else 5)
    processes.raise_descriptor_limit()
    conditions = {"started": time.strftime("%Y-%m-%dT%H:%M:%S"), "machine": report.machine()}
    conditions |= {"versions": report.versions(), "steal_ticks": [processes.steal_ticks()]}
    raw = []
    with (
        processes.machine_to_ourselves(),
        processes.priority(options.nice),
        contenders(builds, peers, options.floor.resolve()) as (redis, running),
    ):
        tools = Tools(options.sidecar_bench.resolve())
        for contender in running:
            workloads.check_pairing(contender, tools)
        for record in measure.rounds(selected, running, redis, count, 4 if options.quick else 1, tools):
            tell(record)
            raw.append(record)
    conditions["steal_ticks"].append(processes.steal_ticks())
    records = figures.Records(raw)
    rows = {each.name: each.row for each in workloads.ALL}
    print(report.text(records, rows, "sidecar", list(builds)))
    report.save(options.output, raw, conditions, records, rows, list(builds))
    drawing = options.output.with_suffix(".svg")
    drawing.write_text(picture.svg(records, picture.caption(records, conditions)))
    print(f"every run: {options.output}, as a picture: {drawing}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
