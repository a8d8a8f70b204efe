"""What is run against each contender, and how the figures of one run are taken."""

import csv
import json
import subprocess
from dataclasses import dataclass, field

from bench.proxy import keys

RUN_SECONDS_MAX = 180


@dataclass(frozen=True)
class Workload:
    name: str
    row: str
    requests: int
    absent: frozenset = field(default_factory=frozenset)

    def scaled(self, divisor):
        return max(1000, self.requests // divisor)

    def prepare(self, redis_port):
        """Brings Redis into the state that the workload expects; what it returns is passed to verify."""
        keys.empty(redis_port)

    def verify(self, redis_port, before, figures):
        """Raises where another workload than the intended one was measured."""

    def output_of(self, command):
        done = subprocess.run(
            [str(each) for each in command], capture_output=True, text=True, timeout=RUN_SECONDS_MAX
        )
        if done.returncode:
            raise SystemExit(
                f"{self.name}: {command[0]}: status {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done.stdout


@dataclass(frozen=True)
class Benchmark(Workload):
    """A run of redis-benchmark."""

    command: str = "get"
    clients: int = 50
    pipeline: int = 1
    value: int = 16

    def prepare(self, redis_port):
        keys.fill(redis_port, self.value)
        return keys.hits_and_misses(redis_port)

    def run(self, port, requests, tools):
        command = [tools.redis_benchmark, "-h", "127.0.0.1", "-p", port, "-t", self.command, "--csv"]
        command += ["-c", self.clients, "-P", self.pipeline, "-d", self.value, "-n", requests]
        command += ["-r", keys.COUNT, "--precision", 3]
        (row,) = csv.DictReader(self.output_of(command).splitlines())
        return {
            "commands": requests,
            "rps": float(row["rps"]),
            "p50_us": float(row["p50_latency_ms"]) * 1000,
            "p99_us": float(row["p99_latency_ms"]) * 1000,
        }

    def verify(self, redis_port, before, figures):
        hits, misses = (now - then for now, then in zip(keys.hits_and_misses(redis_port), before))
        if self.command == "get" and (misses or hits < figures["commands"]):
            raise SystemExit(f"{self.name}: {hits} hits and {misses} misses of {figures['commands']} GETs")


@dataclass(frozen=True)
class Load(Workload):
    """A run of sidecar-bench."""

    value: int = 300
    clients: int = 50

    def run(self, port, requests, tools):
        command = [tools.sidecar_bench, self.name, "--port", port, "--commands", requests]
        return json.loads(self.output_of([*command, "--value", self.value, "--clients", self.clients]))


def check_pairing(contender, tools):
    """Every reply must reach who asked, or its speed is of no interest. nutcracker does not know ECHO."""
    if contender.name != "nutcracker":
        Load("echo", "echo", 5000).run(contender.port, 5000, tools)


def pair(row, requests, **settings):
    return [
        Benchmark(f"{row}-{command}", row, requests, command=command, **settings)
        for command in ("get", "set")
    ]


SINGLE_COMMANDS_ONLY = frozenset({"nutcracker", "floor"})
ALL_PEERS = frozenset({"direct", "nutcracker", "haproxy", "floor"})

ALL = [
    *pair("c50", 200_000, clients=50),
    *pair("c500", 150_000, clients=500),
    *pair("P16", 1_500_000, clients=50, pipeline=16),
    *pair("4k", 100_000, clients=50, value=4096),
    # nutcracker refuses blocking pops and transactions; on the floor's one link they would hold up everyone.
    Load("celery", "celery", 250_000, SINGLE_COMMANDS_ONLY, value=800),
    Load("django", "django", 200_000, SINGLE_COMMANDS_ONLY),
    Load("cache", "cache", 200_000),
    Load("transactions", "transactions", 600_000, ALL_PEERS, value=800),
    Load("untransacted", "untransacted", 300_000, ALL_PEERS, value=800),
]


def chosen(only):
    if not only:
        return ALL
    found = [each for each in ALL if each.name.startswith(tuple(only))]
    if not found:
        raise SystemExit(f"no workload is named {' or '.join(only)}: --list names them")
    return found
