"""What is run against each contender, and how the figures of one run are taken."""

import csv
import socket
import subprocess
from dataclasses import dataclass, field

KEYS = 2000
RUN_SECONDS_MAX = 180


@dataclass(frozen=True)
class Workload:
    name: str
    row: str
    requests: int
    absent: frozenset = field(default_factory=frozenset)

    def scaled(self, divisor):
        return max(1000, self.requests // divisor)


@dataclass(frozen=True)
class Benchmark(Workload):
    """A run of redis-benchmark."""

    command: str = "get"
    clients: int = 50
    pipeline: int = 1
    value: int = 16

    def prepare(self, redis_port):
        fill(redis_port, self.value)
        return keyspace(redis_port)

    def run(self, port, requests):
        command = ["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-t", self.command, "--csv"]
        command += ["-c", str(self.clients), "-P", str(self.pipeline), "-d", str(self.value)]
        command += ["-n", str(requests), "-r", str(KEYS), "--precision", "3"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX)
        rows = list(csv.DictReader(done.stdout.splitlines()))
        if done.returncode or len(rows) != 1:
            raise SystemExit(f"redis-benchmark: status {done.returncode}\n{done.stdout}{done.stderr}")
        (row,) = rows
        return {
            "commands": requests,
            "rps": float(row["rps"]),
            "p50_us": float(row["p50_latency_ms"]) * 1000,
            "p99_us": float(row["p99_latency_ms"]) * 1000,
        }

    def verify(self, redis_port, before, requests):
        """GET must have found its key each time, or another workload was measured."""
        hits, misses = (now - then for now, then in zip(keyspace(redis_port), before))
        if self.command == "get" and (misses or hits < requests):
            raise SystemExit(f"{self.name}: {hits} hits and {misses} misses of {requests} GETs")


def pair(row, requests, **settings):
    return [
        Benchmark(f"{row}-{command}", row, requests, command=command, **settings)
        for command in ("get", "set")
    ]


ALL = [
    *pair("c50", 200_000, clients=50),
    *pair("c500", 150_000, clients=500),
    *pair("P16", 1_500_000, clients=50, pipeline=16),
    *pair("4k", 100_000, clients=50, value=4096),
]


def encode(*words):
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def fill(port, size):
    """Every key that redis-benchmark may ask for, of the size that it would set."""
    value = b"x" * size
    commands = [encode("FLUSHALL"), *(encode("SET", f"key:{key:012d}", value) for key in range(KEYS))]
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        stream = connection.makefile("rb")
        for begin in range(0, len(commands), 100):
            batch = commands[begin : begin + 100]
            connection.sendall(b"".join(batch))
            for _ in batch:
                if not stream.readline().startswith(b"+OK"):
                    raise SystemExit("redis did not take the keys")


def keyspace(port):
    """(hits, misses) so far."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        stream = connection.makefile("rb")
        connection.sendall(encode("INFO", "stats"))
        text = stream.read(int(stream.readline()[1:])).decode()
    values = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(values["keyspace_hits"]), int(values["keyspace_misses"])
