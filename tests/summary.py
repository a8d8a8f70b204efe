"""Adds up the JUnit files of a test run.

Usage: summary.py RESULTS_FOLDER STAGE:STATUS:SECONDS...
Prints each stage with its time, then `N passed, N failed, N skipped` alone on the last line. A stage that
ended badly without a failed test of its own (it did not build, it crashed, it hung) counts as one failure.
"""

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree


def verdict(case):
    outcomes = {child.tag for child in case}
    if outcomes & {"failure", "error"} or case.get("status") == "fail":
        return "failed"
    if "skipped" in outcomes or case.get("status") in ("notrun", "disabled"):
        return "skipped"
    return "passed"


def count(path):
    """Verdicts of one JUnit file; none where the stage left no readable one."""
    try:
        return Counter(verdict(case) for case in ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return Counter()


def main(results, stages):
    total = Counter()
    for stage in stages:
        name, status, seconds = stage.rsplit(":", 2)
        counts = count(Path(results) / f"{name}.xml")
        if status != "0" and not counts["failed"]:
            counts["failed"] += 1
        total += counts
        word = "ok" if status == "0" else f"FAILED (status {status})"
        detail = ", ".join(f"{counts[key]} {key}" for key in ("passed", "failed", "skipped") if counts[key])
        print(f"{name:>16}  {int(seconds):5d} s  {word}{'  ' + detail if detail else ''}")
    print(f"\n{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
