"""The servers of a run: each started on free loopback ports, watched, and stopped by its pid."""

import contextlib
import fcntl
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

START_SECONDS = 10
STOP_SECONDS = 5


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_descriptor_limit():
    """500 clients on both sides of a proxy need more than the usual 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def machine_to_ourselves():
    """Two benchmarks at once would measure each other: the second waits for the first."""
    with (Path(tempfile.gettempdir()) / "sidecar-bench.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("another benchmark is running on this machine: waiting for its end", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def priority(nice):
    """For this process and all it starts; where the kernel groups processes by session, for the group."""
    if not nice:
        yield
        return
    os.nice(nice)
    group = Path("/proc/self/autogroup")
    if group.exists():
        group.write_text(str(nice))
    try:
        yield
    finally:
        if group.exists():
            group.write_text("0")


def answers_ping(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 0.5) as connection:
            connection.settimeout(2)
            connection.sendall(b"*1\r\n$4\r\nPING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


class Server:
    """One process that serves Redis clients on `port`."""

    def __init__(self, name, command, port, folder, http=None):
        self.name = name
        self.port = port
        self.http = http
        self.log = Path(folder) / f"{name}.log"
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        self.pid = self.process.pid

    def wait_until_it_serves(self):
        deadline = time.monotonic() + START_SECONDS
        while not answers_ping(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise SystemExit(f"{self.name} does not serve:\n{self.log.read_text(errors='replace')}")
            time.sleep(0.02)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def redis_server(folder):
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    command += ["--daemonize", "no", "--dir", str(folder), "--maxclients", "10000"]
    return Server("redis", command, port, folder)


def sidecar(name, binary, upstream, folder):
    """As it ships: every feature on, the strict policy; one thread like the others."""
    port, http = free_port(), free_port()
    command = [str(binary), "serve", "--threads", "1", "--listen", f"127.0.0.1:{port}"]
    command += ["--http", f"127.0.0.1:{http}", "--redis", f"redis://127.0.0.1:{upstream}"]
    return Server(name, command, port, folder, http)


def nutcracker(upstream, folder):
    port = free_port()
    settings = {
        "listen": f"127.0.0.1:{port}",
        "redis": "true",
        "preconnect": "true",
        "server_connections": 1,
        "auto_eject_hosts": "false",
        "backlog": 1024,
    }
    lines = ["bench:", *(f"  {key}: {value}" for key, value in settings.items())]
    lines += ["  servers:", f"    - 127.0.0.1:{upstream}:1"]
    path = Path(folder) / "nutcracker.yml"
    path.write_text("\n".join(lines) + "\n")
    command = ["nutcracker", "--conf-file", str(path), "--stats-port", str(free_port())]
    command += [
        "--stats-addr",
        "127.0.0.1",
        "--verbose",
        "2",
        "--output",
        str(Path(folder) / "nutcracker.out"),
    ]
    command += ["--pid-file", str(Path(folder) / "nutcracker.pid")]
    return Server("nutcracker", command, port, folder)


def haproxy(upstream, folder):
    port = free_port()
    path = Path(folder) / "haproxy.cfg"
    path.write_text(f"""\
global
    nbthread 1
    maxconn 4000
defaults
    mode tcp
    timeout connect 5s
    timeout client 10m
    timeout server 10m
listen redis
    bind 127.0.0.1:{port}
    server redis 127.0.0.1:{upstream}
""")
    return Server("haproxy", ["haproxy", "-db", "-f", str(path)], port, folder)


def floor(binary, upstream, folder):
    port = free_port()
    return Server("floor", [str(binary), str(port), str(upstream)], port, folder)


class Direct:
    """Redis itself in the place of a proxy."""

    name = "direct"
    pid = None
    http = None

    def __init__(self, redis):
        self.port = redis.port

    def stop(self):
        pass


def cpu_ns(pid):
    """Time on a CPU of all threads, from the scheduler."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            total += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])
        except FileNotFoundError:
            continue
    return total


def cpu_ticks(pid):
    """(user, system), in ticks: coarse, for the share of the two only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]), int(fields[12])


def steal_ticks():
    return int(Path("/proc/stat").read_text().splitlines()[0].split()[8])
