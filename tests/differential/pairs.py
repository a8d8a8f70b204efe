"""The two servers of a comparison: plain Redis, and the sidecar in front of a second Redis."""

import collections
import dataclasses
import os
import pathlib
import tempfile

from differential.modes import Clients
from differential.runner import run
from differential.side import DEADLINE, After, Door, Side, Standing
from support import Certificates, RedisServer, Sidecar
from support.wire import RawClient

OPEN_FILES_MAX = 400  # of one sidecar between two conversations: its pooled links, and room to spare


def configure(path, users):
    """Names the users in a configuration file of the sidecar."""
    lines = []
    for user in users:
        lines += [f"[users.{user.name}]", f'password = "{user.password}"']
        lines += [f"dbs = {list(user.dbs)}"] if user.dbs else []
        lines += ["readonly = true"] if user.readonly else []
    path.write_text("\n".join(lines) + "\n")


def create_users(redis, users):
    """The same users at plain Redis, which cannot limit anybody to some dbs."""
    for user in users:
        rights = ("+@all", "-@write") if user.readonly else ("+@all",)
        made = redis.command("ACL", "SETUSER", user.name, "on", f">{user.password}", "~*", "&*", *rights)
        assert made == "OK", made


class Pair:
    """A sidecar with its Redis, and the plain Redis it is compared with."""

    def __init__(self, servers, against):
        self.servers = servers
        self.directory = tempfile.TemporaryDirectory(prefix="pair-")
        self.certificates = Certificates(self.directory.name) if servers.clients is Clients.TLS else None
        self.plain = RedisServer(password=servers.password)
        self.behind = RedisServer(password=servers.password, certificates=self.certificates)
        self.sidecar = self._sidecar() if against == "sidecar" else None
        for redis in (self.plain, self.behind) if self.sidecar is None else (self.plain,):
            create_users(redis, servers.users)
        self.doors = (Door(self.plain.address), self._door())
        self.controls = [Standing(redis.client) for redis in (self.plain, self.behind)]
        self.bystander = Standing(self._bystander)

    def _sidecar(self):
        flags, env, url = [*self.servers.flags], {}, self.behind.url
        if self.servers.password:
            flags += ["--password", self.servers.password]
        if self.servers.users:
            path = pathlib.Path(self.directory.name) / "sidecar.toml"
            configure(path, self.servers.users)
            flags += ["--config", path]
        if self.certificates:
            made = self.certificates
            flags += ["--tls-listen", "127.0.0.1:0", "--tls-cert", made.certificate, "--tls-key", made.key]
            env, url = {"SSL_CERT_FILE": str(made.ca)}, self.behind.tls_url
        return Sidecar(url, *flags, env=env)

    def _door(self):
        tls = self.certificates.client_context() if self.certificates else None
        if self.sidecar is None:
            return Door(("127.0.0.1", self.behind.tls_port) if tls else self.behind.address, tls)
        return Door(self.sidecar.tls_address if tls else self.sidecar.address, tls)

    def _bystander(self):
        client = RawClient(self.doors[1].address, tls=self.doors[1].tls, timeout=DEADLINE)
        if self.servers.password:
            assert client.command("AUTH", self.servers.password) == "OK"
        return client

    def count_clients(self):
        """How many clients there are at the door, without the bystander who asks."""
        if self.sidecar is None:
            return field(self.bystander.command("INFO", "clients"), "connected_clients") - 2
        return field(self.bystander.command("INFO", "sidecar"), "clients") - 1

    def empty(self):
        for control in self.controls:
            for command in (("FLUSHALL",), ("SCRIPT", "FLUSH"), ("FUNCTION", "FLUSH")):
                assert control.command(*command) == "OK"

    def sides(self, patience):
        plain = Side(self.doors[0], self.plain, self.controls[0], self.controls[0])
        kept = After.STAY if self.sidecar else After.RECONNECT
        subject = Side(self.doors[1], self.behind, self.controls[1], self.bystander, patience, kept)
        subject.count_clients = self.count_clients
        return plain, subject

    def leaks(self):
        """None, or what is left of conversations that are over."""
        plain = field(self.controls[0].command("INFO", "clients"), "connected_clients")
        if plain > 1:
            return f"plain Redis has {plain} clients"
        if self.sidecar is None:
            return None
        text = self.bystander.command("INFO", "sidecar")
        left = {name: field(text, name) for name in ("leases_in_use", "lease_waiters", "clients_blocked")}
        files = len(os.listdir(f"/proc/{self.sidecar.pid}/fd"))
        if any(left.values()) or files > OPEN_FILES_MAX:
            return f"the sidecar has {left}, {files} open files"
        return None

    def log_tail(self):
        return self.sidecar.log_tail(15) if self.sidecar else ""

    def alive(self):
        return self.sidecar is None or self.sidecar.running

    def close(self):
        for standing in (*self.controls, self.bystander):
            standing.close()
        for process in (self.sidecar, self.behind, self.plain):
            if process:
                process.close()
        self.directory.cleanup()


def field(info, name):
    return int(info.split(b"\n%s:" % name.encode())[1].split(b"\r\n")[0])


class Pairs:
    """Made when first asked for, shared by all conversations of a session, replaced after a crash."""

    def __init__(self, against):
        self.against = against
        self.made = {}
        self.held = collections.Counter()  # conversations by kind

    def get(self, servers):
        key = servers if self.against == "sidecar" else dataclasses.replace(servers, flags=())
        pair = self.made.get(key)
        if pair is not None and not pair.alive():
            pair.close()
            pair = None
        if pair is None:
            pair = self.made[key] = Pair(key, self.against)
        pair.empty()
        return pair

    def compare(self, kind, servers, conversation, protocol=2, password=None, patience=DEADLINE):
        """None, or the Difference that a conversation shows."""
        self.held[kind] += 1
        return run(conversation, *self.get(servers).sides(patience), protocol, password)

    def close(self):
        for pair in self.made.values():
            pair.close()
