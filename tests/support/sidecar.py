"""The binary under test: started on ports of the kernel's choice, found through its `ready` line."""

import contextlib
import http.client
import json
import os
import pathlib
import select
import signal
import subprocess
import time

from support.polling import slack
from support.processes import Process
from support.resp import encode
from support.wire import RawClient

ROOT = pathlib.Path(__file__).resolve().parents[2]
SANITIZED = bool(os.environ.get("SIDECAR_SANITIZER"))
REPORTS = (
    "ERROR: AddressSanitizer",
    "ERROR: LeakSanitizer",
    "WARNING: ThreadSanitizer",
    "ThreadSanitizer: ",
    "runtime error: ",
)


def binary():
    path = pathlib.Path(os.environ.get("SIDECAR_BIN", ROOT / "build" / "sidecar"))
    assert path.is_file(), f"{path} is missing: build it first (./dev build) or set SIDECAR_BIN"
    return path


READY_SECONDS = 20


class StartFailed(Exception):
    """The process ended, or said nothing, instead of becoming ready. The text is its output."""


class Sidecar(Process):
    """redis: the upstream URL. flags: further arguments of `serve`, in order. env: added to the environment.

    listen=None leaves --listen away (for --unix or --tls-listen alone). descriptors: the limit of open files.
    """

    def __init__(self, redis=None, *flags, env=None, listen="127.0.0.1:0", start=True, descriptors=None):
        super().__init__("sidecar")
        self.flags = [*(["--listen", listen] if listen else []), "--http", "127.0.0.1:0"]
        self.flags += ["--redis", redis] if redis else []
        self.flags += flags
        self.env = env or {}
        self.ready = {}
        self.descriptors = descriptors
        if start:
            self.start()

    def start(self):
        self.spawn(
            [binary(), "serve", *self.flags],
            stdout=subprocess.PIPE,
            env=self.env,
            descriptors=self.descriptors,
        )
        line = self._read_ready_line()
        self.ready = dict(field.split("=", 1) for field in line.split()[1:])
        return self

    def _read_ready_line(self):
        deadline = time.monotonic() + slack(READY_SECONDS)
        text = b""
        descriptor = self.process.stdout.fileno()
        while time.monotonic() < deadline:
            if not select.select([descriptor], [], [], 0.2)[0]:
                continue
            data = os.read(descriptor, 4096)
            text += data
            for line in text.decode(errors="replace").splitlines():
                if line.startswith("ready ") and text.endswith(b"\n"):
                    return line
            if not data:
                break
        status = self.process.poll() if self.process.poll() is not None else self._reap()
        output = f"exit status {status}\n{text.decode(errors='replace')}{self.log_tail()}"
        self.close()
        raise StartFailed(output)

    def _reap(self):
        try:
            return self.process.wait(2)
        except subprocess.TimeoutExpired:
            return "none: still running"

    @staticmethod
    def _address(text):
        host, port = text.rsplit(":", 1)
        return (host, int(port))

    @property
    def addresses(self):
        return [self._address(text) for text in self.ready["redis"].split(",")]

    @property
    def address(self):
        return self.addresses[0]

    @property
    def tls_address(self):
        return self._address(self.ready["tls"].split(",")[0])

    @property
    def http_address(self):
        return self._address(self.ready["http"])

    def url(self, db=0):
        host, port = self.address
        return f"redis://{host}:{port}/{db}"

    def client(self, db=0, protocol=2, password=None, user=None, **options):
        client = RawClient(self.address, **options)
        setup = []
        if password is not None:
            setup.append(("AUTH", user, password) if user else ("AUTH", password))
        if protocol != 2:
            setup.append(("HELLO", protocol))
        if db:
            setup.append(("SELECT", db))
        for command in setup:
            client.send(encode(*command))
            reply = client.read_frame()
            assert not reply.startswith(b"-"), f"{command}: {reply!r}"
        return client

    def close(self):
        """Fails the test when a sanitizer had something to say about it."""
        try:
            if SANITIZED:
                self._end_orderly()
            report = self._sanitizer_report()
        finally:
            super().close()
        assert not report, report

    def _end_orderly(self):
        """Leaks are looked for at the end of main only. The second signal ends a drain at once."""
        for _ in range(2):
            if self.running:
                self.thaw()
                self.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(5)

    def _sanitizer_report(self):
        text = self.log()
        starts = [place for mark in REPORTS if (place := text.find(mark)) >= 0]
        return text[min(starts) : min(starts) + 6000] if starts else ""

    def reload(self):
        self.signal(signal.SIGHUP)

    # HTTP.

    def http(self, path, method="GET", headers=None, body=None, timeout=10):
        """(status, body as text)"""
        connection = http.client.HTTPConnection(*self.http_address, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def http_json(self, path, **options):
        status, body = self.http(path, **options)
        assert status == 200, (status, body)
        return json.loads(body)

    def metrics(self):
        """Sample text (name and labels as written) -> value."""
        status, body = self.http("/metrics")
        assert status == 200, (status, body)
        samples = {}
        for line in body.splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                samples[name] = float(value)
        return samples

    def metric(self, name, **labels):
        """The sum of the samples of a name whose labels include the given ones; 0 when there is none."""
        total = 0.0
        for sample, value in self.metrics().items():
            wanted = [f'{key}="{label}"' for key, label in labels.items()]
            if sample.split("{")[0] == name and all(text in sample for text in wanted):
                total += value
        return total
