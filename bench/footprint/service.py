"""A sidecar before a Redis of its own, and what the two say about memory and connections."""

import contextlib
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support import (  # noqa: E402
    Certificates,
    Closed,
    RedisServer,
    Sidecar,
    TimedOut,
    encode,
    eventually,
)
from support.crowd import Crowd, everyday, greeting, raise_descriptor_limit, step  # noqa: E402

__all__ = [
    "Certificates",
    "Closed",
    "Service",
    "TimedOut",
    "encode",
    "eventually",
    "everyday",
    "greeting",
    "step",
]

LINKS_PER_SHARD_MAX = 8
THREADS = 2
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Service:
    """Started warm: every db has served a client of either protocol before the first measurement."""

    def __init__(self, clients, *flags, certificates=None):
        raise_descriptor_limit(clients)
        self.stack = contextlib.ExitStack()
        self.redis = self.stack.enter_context(RedisServer(maxclients=clients))
        flags = ["--threads", THREADS, "--max-clients", clients + 100, *flags]
        self.certificates = certificates
        if certificates is not None:
            flags += ["--tls-listen", "127.0.0.1:0"]
            flags += ["--tls-cert", certificates.certificate, "--tls-key", certificates.key]
        self.sidecar = self.stack.enter_context(Sidecar(self.redis.url, *flags))
        for db in range(3):
            for protocol in (2, 3):
                for _ in range(8):
                    with self.sidecar.client(db, protocol) as client:
                        client.command("GET", "warm")
        self.begin = self.sidecar.resident_bytes()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def crowd(self):
        if self.certificates is None:
            return Crowd(self.sidecar.address)
        return Crowd(self.sidecar.tls_address, self.certificates.client_context())

    def grown(self):
        return self.sidecar.resident_bytes() - self.begin

    def cpu_seconds(self):
        text = pathlib.Path(f"/proc/{self.sidecar.pid}/stat").read_text()
        fields = text.rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def connections(self):
        """What both sides count; Redis's list has this very question in it, which has no name."""
        metrics = self.sidecar.metrics()
        listed = self.redis.command("CLIENT", "LIST").decode().splitlines()
        return {
            "clients": int(metrics["sidecar_clients"]),
            "links": int(metrics["sidecar_links_ready"]),
            "leases_in_use": int(metrics["sidecar_leases_in_use"]),
            "leases_idle": int(metrics["sidecar_leases_idle"]),
            "at_redis": sum(" name=sidecar " in line for line in listed),
        }
