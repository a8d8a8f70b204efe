"""The sidecar beside its peers: Redis itself, nutcracker, HAProxy, and the floor, interleaved in one run.

CPU per command comes from the scheduler's accounting. Load, Redis and proxy share the machine, so judge by
CPU per command and by ratios of the same round, not by throughput.
"""

import argparse
import sys
import time
from pathlib import Path

from bench.proxy import figures, measure, picture, processes, report, stand, workloads

ROUNDS, QUICK_ROUNDS, QUICK_DIVISOR = 7, 3, 4


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench proxy", description=__doc__)
    parser.add_argument("--rounds", type=int, help=f"{ROUNDS}; with --quick {QUICK_ROUNDS}")
    parser.add_argument("--quick", action="store_true", help="a quarter of the requests")
    parser.add_argument("--output", type=Path, default=stand.ROOT / "build/bench-results/proxy.json")
    stand.add_options(parser)
    return parser.parse_args()


def tell(record):
    cpu = f"{record['proxy_cpu_us']:7.2f} us" if "proxy_cpu_us" in record else " " * 10
    print(
        f"  round {record['round'] + 1}  {record['workload']:<13}{record['contender']:<14}{cpu}"
        f"  redis {record['redis_cpu_us']:6.2f} us  {record['rps'] / 1000:7.1f} k/s"
        f"  {record['seconds']:.1f} s",
        file=sys.stderr,
    )


def measured(options, selected):
    """Every run's record, and under what conditions they were taken."""
    count = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    divisor = QUICK_DIVISOR if options.quick else 1
    conditions = {"started": time.strftime("%Y-%m-%dT%H:%M:%S"), "machine": report.machine()}
    conditions |= {"versions": report.versions(), "steal_ticks": [processes.steal_ticks()]}
    raw = []
    with stand.opened(options) as opened:
        for record in measure.rounds(selected, opened, count, divisor):
            tell(record)
            raw.append(record)
    conditions["steal_ticks"].append(processes.steal_ticks())
    return raw, conditions


def main():
    options = arguments()
    if options.list:
        print("\n".join(each.name for each in workloads.ALL))
        return 0
    raw, conditions = measured(options, workloads.chosen(options.only))
    records = figures.Records(raw)
    rows = {each.name: each.row for each in workloads.ALL}
    builds = list(stand.builds(options))
    print(report.text(records, rows, "sidecar", builds))
    report.save(options.output, raw, conditions, records, rows, builds)
    drawing = options.output.with_suffix(".svg")
    drawing.write_text(picture.svg(records, picture.caption(records, conditions)))
    print(f"every run: {options.output}, as a picture: {drawing}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
