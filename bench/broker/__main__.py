"""How fast messages of Celery are read: envelope, head from the end, whole decoding, editing.

One thread, the golden messages of tests/broker. Messages and megabytes (of the message as it lies in Redis) a
second.
"""

import argparse
import json
import subprocess
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/broker/golden/celery-5.7"
PROGRAM = ROOT / "build/bench/bench/decode_bench"
RESULTS = ROOT / "build/bench-results"
WAYS = ("envelope", "glance", "decode", "edit")
SECONDS, QUICK_SECONDS = 0.5, 0.1


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench broker", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_SECONDS} s a measurement, not {SECONDS} s"
    )
    parser.add_argument("--only", action="append", metavar="MESSAGE", help="repeatable; a prefix will do")
    parser.add_argument("--messages", type=Path, default=GOLDEN, metavar="FOLDER", help="other messages")
    return parser.parse_args()


def measured(folder, seconds):
    command = [PROGRAM, folder, str(seconds)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def table(records):
    """A row for each message: its size, then messages and megabytes a second of each way."""
    rows = {}
    for record in records:
        rows.setdefault(record["message"], {"bytes": record["bytes"]})[record["what"]] = record
    yield "  ".join([f"{'message':18}", f"{'bytes':>7}", *(f"{way + ' k/s · MB/s':>18}" for way in WAYS)])
    for name, row in rows.items():
        cells = (
            f"{row[way]['messages_per_s'] / 1000:9.0f} · {row[way]['mb_per_s']:6.0f}"
            for way in WAYS
            if way in row
        )
        yield "  ".join([f"{name:18}", f"{row['bytes']:7}", *(f"{cell:>18}" for cell in cells)])


def main():
    options = arguments()
    records = measured(options.messages, QUICK_SECONDS if options.quick else SECONDS)
    if options.only:
        records = [each for each in records if each["message"].startswith(tuple(options.only))]
    print("\n".join(table(records)))
    RESULTS.mkdir(parents=True, exist_ok=True)
    place = RESULTS / f"broker-{datetime.now():%Y%m%d-%H%M%S}.json"
    place.write_text(json.dumps(records, indent=1) + "\n")
    print(f"\n{place.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
