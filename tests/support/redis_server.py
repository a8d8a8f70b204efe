"""A real redis-server of the machine on a loopback port and a unix socket of its own."""

import subprocess

from support.polling import eventually
from support.processes import Process, free_port
from support.wire import Closed, RawClient


class RedisServer(Process):
    """options: redis.conf settings, with '_' for '-' (appendonly="yes", maxclients=20 ...).

    The port stays the same over restarts, so that whoever is connected can come back.
    """

    def __init__(self, password=None, certificates=None, start=True, **options):
        super().__init__("redis")
        self.password = password
        self.certificates = certificates
        self.unix_path = str(self.directory / "redis.sock")
        self.port = None
        self.tls_port = None
        self.options = {
            "save": "",
            "appendonly": "no",
            "enable_debug_command": "yes",
            "loglevel": "notice",
            "databases": 16,
            **options,
        }
        if start:
            self.start()

    @property
    def url(self):
        return f"redis://{self._userinfo}127.0.0.1:{self.port}"

    @property
    def tls_url(self):
        return f"rediss://{self._userinfo}127.0.0.1:{self.tls_port}"

    @property
    def unix_url(self):
        return f"unix://{self.unix_path}"

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    @property
    def _userinfo(self):
        return f":{self.password}@" if self.password else ""

    def _arguments(self):
        settings = {
            "bind": "127.0.0.1",
            "port": self.port,
            "unixsocket": self.unix_path,
            "dir": self.directory,
            **self.options,
        }
        if self.password:
            settings["requirepass"] = self.password
        if self.certificates:
            settings |= {
                "tls-port": self.tls_port,
                "tls-cert-file": self.certificates.certificate,
                "tls-key-file": self.certificates.key,
                "tls-ca-cert-file": self.certificates.ca,
                "tls-auth-clients": "no",
            }
        arguments = ["redis-server"]
        for name, value in settings.items():
            arguments += ["--" + name.replace("_", "-"), value]
        return arguments

    def start(self, wait_ready=True):
        for _ in range(1 if self.port else 5):
            port_is_ours = self.port is not None
            if not port_is_ours:
                self.port = free_port()
                self.tls_port = free_port() if self.certificates else None
            self.spawn(self._arguments())
            if not wait_ready or self._becomes_ready():
                return self
            if not port_is_ours:
                self.port = None
        raise AssertionError(f"redis-server did not start:\n{self.log_tail()}")

    def _becomes_ready(self):
        def answered():
            if not self.running:
                return "dead"
            try:
                with self.client() as client:
                    return "ready" if client.command("PING") == "PONG" else None
            except (OSError, Closed):
                return None

        return eventually(answered, 60, message="redis-server does not answer") == "ready"

    def restart(self, wait_ready=True):
        self.stop()
        return self.start(wait_ready)

    def client(self, db=0, timeout=10.0):
        """A connection that bypasses the sidecar."""
        client = RawClient(self.unix_path, timeout=timeout)
        if self.password:
            client.command("AUTH", self.password)
        if db:
            client.command("SELECT", db)
        return client

    def command(self, *args, db=0):
        with self.client(db) as client:
            return client.command(*args)

    def info(self, section, field):
        text = self.command("INFO", section).decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)[field]

    def blocked_clients(self):
        return int(self.info("clients", "blocked_clients"))


def redis_version():
    text = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in text.split("v=")[1].split()[0].split("."))
