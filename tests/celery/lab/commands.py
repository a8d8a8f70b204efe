"""The binary's commands as a user runs them: in a pipe, or on a terminal with somebody who answers."""

import dataclasses
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from fcntl import ioctl

from support.polling import slack
from support.sidecar import binary

ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z])")


@dataclasses.dataclass
class Ran:
    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    def rows(self):
        """The lines of a table below its titles, as words."""
        return [line.split() for line in self.out.splitlines()[1:]]


class Commands:
    """commands("queues", "--json"): a Ran. The sidecar is that of the site."""

    def __init__(self, url, **environment):
        self.environment = {**os.environ, "SIDECAR_URL": url, **environment}

    def __call__(self, *arguments, timeout=30, **environment):
        done = subprocess.run(
            [str(binary()), *map(str, arguments)],
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=slack(timeout),
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def on_terminal(self, *arguments, columns=120, rows=40):
        return Terminal([str(binary()), *map(str, arguments)], self.environment, columns, rows)


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, arguments, environment, columns, rows):
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.execvpe(arguments[0], arguments, {**environment, "TERM": "xterm"})
        ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.output = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self._reap()
        os.close(self.descriptor)

    def _reap(self):
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def _read(self):
        """False at the end of the output."""
        if not select.select([self.descriptor], [], [], 0.05)[0]:
            return True
        try:
            data = os.read(self.descriptor, 65536)
        except OSError:
            return False
        self.output += data.decode(errors="replace")
        return bool(data)

    def text(self):
        return ESCAPES.sub("", self.output)

    def expect(self, text, seconds=15):
        deadline = time.monotonic() + slack(seconds)
        while text not in self.text():
            assert (time.monotonic() < deadline and self._read()) or text in self.text(), (
                f"no {text!r} in\n{self.text()}"
            )

    def wait(self, seconds):
        """Takes what comes within this time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._read():
            pass

    def signal(self, number):
        os.kill(self.pid, number)

    def type(self, text):
        os.write(self.descriptor, text.encode())

    def finish(self, seconds=15):
        """The exit status."""
        deadline = time.monotonic() + slack(seconds)
        while self._read():
            assert time.monotonic() < deadline, f"it does not end:\n{self.text()}"
        return self._reap()
