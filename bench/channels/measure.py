"""The rounds: in each, every workload runs once with its contenders in a rotated order."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from bench.channels.workloads import CONTENDERS

RUN_SECONDS_MAX = 300
WRITES, DELIVERIES = "sidecar_client_writes_total", "sidecar_messages_delivered_total"


def knows_native(port):
    """Whether the server has the commands CH.*."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"SELECT 1\r\nCH.HELP\r\n")
        connection.settimeout(2)
        answer = b""
        try:
            while answer.count(b"\r\n") < 2:
                answer += connection.recv(4096)
        except TimeoutError:
            return False
    return b"unknown command" not in answer


def counters(http):
    with urllib.request.urlopen(f"http://127.0.0.1:{http}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return {name: float(values.get(name, 0)) for name in (WRITES, DELIVERIES)}


def output_of(command, env=None):
    done = subprocess.run(
        [str(each) for each in command], capture_output=True, text=True, timeout=RUN_SECONDS_MAX, env=env
    )
    if done.returncode:
        raise SystemExit(f"{command[0]}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def figures_of(step, contender):
    """The record of one contender's turn, from the tester's JSON."""
    cpu = step["cpu_us_per_delivery"]
    server = CONTENDERS[contender].server
    per_message = step["delivered"] / max(1, step["sent"])
    record = {
        "server_cpu_us": cpu[server],
        "redis_message_us": cpu["redis"] * per_message,
        "load_cpu_us": cpu["load"],
        "deliveries_per_second": step["deliveries_per_second"],
        "p50_us": step["latency"]["p50_us"],
        "p99_us": step["latency"]["p99_us"],
        "last_us": step["last_member"]["p50_us"],
        "faults": step["lost"] + step["duplicated"] + step["reordered"],
    }
    if "redis_bytes_per_message" in step:
        record["redis_bytes"] = step["redis_bytes_per_message"]
    return record


def one(workload, contenders, stand, divisor):
    """Yields (contender, record)."""
    ports = {"redis": stand.redis.port, "sidecar": stand.sidecar.port}
    command = [stand.sidecar_bench, "fanout", *workload.arguments(divisor), "--python", stand.python]
    command += ["--watch", f"redis={stand.redis.pid}", "--watch", f"sidecar={stand.sidecar.pid}"]
    command += ["--count-bytes", stand.redis.port]
    for name in contenders:
        command += ["--run", f"{name}={CONTENDERS[name].kind}@{ports[CONTENDERS[name].server]}"]
    paths = [str(stand.package), os.environ.get("PYTHONPATH", "")]
    before = counters(stand.sidecar.http)
    with tempfile.NamedTemporaryFile(prefix="sidecar-bench-", suffix=".json") as report:
        output_of([*command, "--json", report.name], os.environ | {"PYTHONPATH": os.pathsep.join(paths)})
        steps = json.loads(Path(report.name).read_text())["steps"]
    taken = {name: value - before[name] for name, value in counters(stand.sidecar.http).items()}
    for step in steps:
        record = figures_of(step, step["target"])
        if step["target"] == "sidecar" and taken[DELIVERIES]:
            record["writes_per_delivery"] = taken[WRITES] / taken[DELIVERIES]
        yield step["target"], record


def allocations(stand):
    """Of the fan-out cases of the micro-benchmarks, a delivery: exact, once is enough."""
    for line in output_of([stand.micro]).splitlines():
        name, repetitions, commands, count = line.split()
        if name.startswith("sidecar/fan_out/") and "1000_subscribers" in name:
            record = {"allocations": int(count) / int(repetitions) / int(commands)}
            yield {"round": 0, "workload": "micro", "contender": "fan_out", **record}


def rounds(workloads, stand, count, divisor):
    """Yields a record for each turn of each contender."""
    native = knows_native(stand.sidecar.port)
    if not native:
        print("this sidecar has no commands CH.*: their rows are left out", file=sys.stderr)
    for number in range(count):
        for workload in workloads:
            present = [each for each in workload.contenders if native or not CONTENDERS[each].native]
            if not present:
                continue
            shift = number % len(present)
            for contender, record in one(workload, present[shift:] + present[:shift], stand, divisor):
                yield {"round": number, "workload": workload.name, "contender": contender, **record}
