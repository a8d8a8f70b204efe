"""The micro-benchmarks: times by Google Benchmark, and instructions per command by callgrind.

Instructions do not depend on what else the machine does, so a baseline of them is kept and compared: --check
fails where a case takes more than the tolerance above it. They do depend on the compiler, which the baseline
names; under another one the differences are printed and nothing fails.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASELINE = Path(__file__).with_name("baseline.json")
TOLERANCE = 0.05
OBSERVER_SHARE_MAX = 0.05
VALGRIND_SECONDS_MAX = 600


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench micro", description=__doc__)
    parser.add_argument("--check", action="store_true", help="instructions only; status 1 above the baseline")
    parser.add_argument("--update", action="store_true", help="writes the baseline anew")
    parser.add_argument("--build", type=Path, default=ROOT / "build/bench", help="another build directory")
    parser.add_argument("--filter", default=".", metavar="REGEX", help="of the cases that are timed")
    return parser.parse_args()


def compiler(build):
    """The first line of what the build's compiler says of its version."""
    path = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.MULTILINE)
    return subprocess.run([path[1], "--version"], capture_output=True, text=True).stdout.splitlines()[0]


def instructions(build):
    """Instructions per command of every case, in the order in which they ran."""
    with tempfile.TemporaryDirectory(prefix="sidecar-bench-") as folder:
        output = Path(folder) / "callgrind"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={output}"]
        command.append(str(build / "bench/micro_instructions"))
        done = subprocess.run(command, capture_output=True, text=True, timeout=VALGRIND_SECONDS_MAX)
        if done.returncode:
            raise SystemExit(f"micro_instructions under callgrind: status {done.returncode}\n{done.stderr}")
        counted = {}
        for number, line in enumerate(done.stdout.splitlines(), start=1):
            name, repetitions, commands, _ = line.split()
            dump = Path(f"{output}.{number}").read_text()
            if f"Client Request: {name}\n" not in dump:
                raise SystemExit(f"callgrind's dump {number} is not of {name}")
            total = int(re.search(r"^summary: (\d+)$", dump, re.MULTILINE)[1])
            counted[name] = round(total / int(repetitions) / int(commands), 1)
    return counted


def compare(counted, baseline):
    """Prints every case beside its baseline; returns the names of those that got dearer."""
    dearer = []
    print(f"{'instructions per command':<50}{'baseline':>10}{'now':>10}")
    for name in dict.fromkeys([*baseline, *counted]):
        before, now = baseline.get(name), counted.get(name)
        note = ""
        if before is None or now is None:
            note = "new" if before is None else "gone"
            dearer.append(name)
        else:
            change = now / before - 1
            if abs(change) > TOLERANCE:
                note = f"{change:+.1%}"
            if change > TOLERANCE:
                dearer.append(name)
        print(f"{name:<50}{'-' if before is None else before:>10}{'-' if now is None else now:>10}  {note}")
    return dearer


def compare_observer(counted):
    """What observing a broker adds to its commands; returns the cases where that is too much."""
    over = []
    for name, observed in counted.items():
        if not name.endswith("_observed"):
            continue
        share = observed / counted[name.replace("_observed", "_off")] - 1
        print(f"{name:<50}{share:+.1%} for the observer, at most {OBSERVER_SHARE_MAX:+.0%}")
        if share > OBSERVER_SHARE_MAX:
            over.append(name)
    return over


def check(build):
    known = json.loads(BASELINE.read_text())
    mine = compiler(build)
    counted = instructions(build)
    dearer = compare(counted, known["instructions_per_command"]) + compare_observer(counted)
    if not dearer:
        return 0
    if mine != known["compiler"]:
        print(f"not judged: the baseline is of {known['compiler']}, this is {mine}")
        return 0
    print(f"dearer than they may be (baseline + {TOLERANCE:.0%}), new or gone: {', '.join(dearer)}")
    print("where that is intended: ./dev bench micro --update")
    return 1


def update(build):
    counted = instructions(build)
    document = {"compiler": compiler(build), "instructions_per_command": counted}
    BASELINE.write_text(json.dumps(document, indent=2) + "\n")
    print(f"{len(counted)} cases written to {BASELINE.relative_to(ROOT)}")


def main():
    options = arguments()
    if options.update:
        update(options.build)
        return 0
    if not options.check:
        command = [options.build / "bench/micro_time", f"--benchmark_filter={options.filter}"]
        subprocess.run(command, check=True)
    return check(options.build)


if __name__ == "__main__":
    sys.exit(main())
