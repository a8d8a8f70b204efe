"""The figures as text and as JSON."""

import json
import os
import platform
import subprocess
from pathlib import Path

from bench.proxy import figures

NAMES = {
    "proxy_cpu_us": "proxy CPU",
    "rps": "throughput",
    "redis_cpu_us": "Redis's CPU",
    "p99_us": "p99",
    "batch_cpu_us": "CPU a batch",
}


def machine():
    cpu = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cores": os.cpu_count(),
        "cpu": cpu[0] if cpu else platform.machine(),
        "kernel": platform.release(),
        "load": os.getloadavg(),
    }


def version(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"


def versions():
    return {
        "redis": version("redis-server", "--version"),
        "nutcracker": version("nutcracker", "--version"),
        "haproxy": version("haproxy", "-v"),
    }


def number(value, form):
    return "-" if value is None else format(value, form)


def absolute(records):
    """Medians of what was measured."""
    yield (
        f"{'workload':<13}{'contender':<14}{'proxy us':>9}{'user':>6}{'redis us':>9}"
        f"{'k/s':>8}{'p50 us':>8}{'p99 us':>8}"
    )
    for workload in records.workloads:
        for contender in records.contenders:
            if not records.values(workload, contender, "rps"):
                continue
            value = {
                key: records.median(workload, contender, key)
                for key in ("proxy_cpu_us", "user_share", "redis_cpu_us", "rps", "p50_us", "p99_us")
            }
            yield (
                f"{workload:<13}{contender:<14}{number(value['proxy_cpu_us'], '.2f'):>9}"
                f"{number(value['user_share'], '.0%'):>6}{value['redis_cpu_us']:>9.2f}"
                f"{value['rps'] / 1000:>8.1f}{value['p50_us']:>8.0f}{value['p99_us']:>8.0f}"
            )
        yield ""


def required(records, verdicts):
    """The last column tells what the floor has in the same place: how near the bound anything can come."""
    head = f"{'workload':<13}{'figure':<13}{'required':<24}{'median':>7}   {'quartiles':<13}"
    yield f"{head}{'':<8}{'floor':>5}"
    for each in verdicts:
        spread = f"{each.ratio.low:.2f}-{each.ratio.high:.2f}"
        needed = each.requirement
        floor = records.ratio(each.workload, needed.figure, "floor", needed.other)
        yield (
            f"{each.workload:<13}{NAMES[needed.figure]:<13}{needed!s:<24}"
            f"{each.ratio.median:>7.2f}   {spread:<13}{'ok' if each.holds else 'MISSED':<8}"
            f"{number(floor and floor.median, '.2f'):>5}"
        )


def compared(records, subject, others):
    """Another build of the sidecar beside the first."""
    for other in others:
        yield f"{other} : {subject}, paired ratios with quartiles; best = the least of all rounds"
        for workload in records.workloads:
            parts = []
            for figure in ("proxy_cpu_us", "redis_cpu_us", "rps", "p99_us"):
                ratio = records.ratio(workload, figure, other, subject)
                if ratio is not None:
                    parts.append(f"{NAMES[figure]} {ratio.median:.3f} ({ratio.low:.2f}-{ratio.high:.2f})")
            if parts:
                best = [records.best(workload, each, "proxy_cpu_us") for each in (other, subject)]
                yield f"  {workload:<13}{'  '.join(parts)}  best CPU {best[0] / best[1]:.3f}"
        yield ""


def leases(records, builds):
    """A transaction that arrives whole is carried by the shared link."""
    for build in builds:
        if whole := sum(records.values("transactions", build, "whole")):
            granted = sum(records.values("transactions", build, "leases"))
            verdict = "MISSED" if granted else "ok"
            yield f"{build}: {granted} leases for {whole} transactions that arrived whole  {verdict}"


def text(records, rows, subject, builds):
    parts = [*absolute(records), *compared(records, subject, [each for each in builds if each != subject])]
    for build in builds:
        judged = list(figures.verdicts(records, rows, build))
        if judged:
            missed = sum(not each.holds for each in judged)
            parts += [f"required of {build}:", *required(records, judged)]
            parts += [f"{len(judged) - missed} of {len(judged)} hold", ""]
    parts += leases(records, builds)
    return "\n".join(parts)


def save(path, raw, conditions, records, rows, builds):
    judged = [each for build in builds for each in figures.verdicts(records, rows, build)]
    document = {
        **conditions,
        "required": [
            {
                "subject": each.subject,
                "workload": each.workload,
                "figure": each.requirement.figure,
                "required": str(each.requirement),
                "median": each.ratio.median,
                "quartiles": [each.ratio.low, each.ratio.high],
                "rounds": each.ratio.count,
                "holds": each.holds,
            }
            for each in judged
        ],
        "raw": raw,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
