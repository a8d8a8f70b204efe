"""Memory and connections of the sidecar under many clients. Usage: ./dev bench footprint [PART...] [OPTIONS]

Parts: idle, active, churn (all when none is named). Prints a table, writes JSON, and exits 1 when a bound
does not hold: 4 KiB per idle plain client, 8 upstream connections per shard beside the leases in use, no
growth under churn.
"""

import argparse
import json
import pathlib
import sys
import tempfile

from bench.footprint.churn import churn
from bench.footprint.service import ROOT, Certificates
from bench.footprint.standing import PASTS, active, idle

RESULTS = ROOT / "build" / "bench-results"


def show(title, row):
    verdict = "holds" if row["holds"] else "DOES NOT HOLD"
    print(f"\n{title}: {verdict}")
    for name, value in row.items():
        if name not in ("holds", "samples"):
            print(f"  {name:<30} {value}")
    sys.stdout.flush()


def measure(arguments):
    wanted = arguments.parts or ["idle", "active", "churn"]
    if "idle" in wanted:
        for past in PASTS:
            yield f"idle after {past}", idle(arguments.clients, past)
        with tempfile.TemporaryDirectory() as folder:
            row = idle(arguments.clients, "a few commands", Certificates(folder))
            yield "idle over TLS (reported, not bounded)", row
    if "active" in wanted:
        yield "active", active(arguments.clients, arguments.seconds)
    if "churn" in wanted:
        yield "churn", churn(arguments.minutes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], "idle", "active", "churn"], metavar="PART")
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=30, help="of the active part")
    parser.add_argument("--minutes", type=float, default=20, help="of the churn")
    parser.add_argument("--json", type=pathlib.Path, default=RESULTS / "footprint.json")
    arguments = parser.parse_args()
    rows = {}
    for title, row in measure(arguments):
        show(title, row)
        rows[title] = row
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0 if all(row["holds"] for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
