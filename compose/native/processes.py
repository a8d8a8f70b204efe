"""Child processes that are watched: their output comes line by line with their name before it, and one that
ends by itself is started again, as `restart: unless-stopped` does.

A process belongs to the thread that reads its output; start, stop and kill may be called from any other.
"""

import ctypes
import os
import signal
import subprocess
import threading
import time

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
RESTART_SECONDS = 1.0


def become(identity):
    """In the child: its own session (Ctrl-C is for the parent), its end with ours, another user."""

    def prepare():
        os.setsid()
        if identity:
            os.setgroups([])
            os.setgid(identity[1])
            os.setuid(identity[0])
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    return prepare


class Managed:
    """on_line(name, line) gets every line. stop_signal: the orderly end of this program."""

    def __init__(
        self, name, command, environment, on_line, *, folder, identity=None, stop_signal=signal.SIGTERM
    ):
        self.name = name
        self.command = [str(part) for part in command]
        self.environment = environment
        self.on_line = on_line
        self.folder = folder
        self.identity = identity
        self.stop_signal = stop_signal
        self.process = None
        self.wanted = threading.Event()
        self.lock = threading.Lock()
        self.reader = None
        self.starts = 0

    def start(self):
        with self.lock:
            if self.wanted.is_set():
                return
            self.wanted.set()
            # PR_SET_PDEATHSIG watches the thread that forks: it lives as long as the process.
            self.reader = threading.Thread(target=self._live, name=self.name, daemon=True)
            self.reader.start()

    def _live(self):
        while self.wanted.is_set():
            self._once()
            if self.wanted.is_set():
                self.on_line(self.name, f"ended with status {self.process.returncode}, starting again")
                time.sleep(RESTART_SECONDS)

    def _once(self):
        with self.lock:
            if not self.wanted.is_set():
                return
            self.starts += 1
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                preexec_fn=become(self.identity),
                text=True,
                errors="replace",
            )
        for line in self.process.stdout:
            self.on_line(self.name, line.rstrip("\n"))
        self.process.stdout.close()
        self.process.wait()

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def _signal(self, number, everyone=False):
        if self.running:
            (os.killpg if everyone else os.kill)(self.process.pid, number)

    def stop(self, seconds=20):
        """Orderly; killed with its children when it takes too long."""
        with self.lock:
            self.wanted.clear()
        self._signal(self.stop_signal)
        if self.reader:
            self.reader.join(seconds)
            if self.reader.is_alive():
                self._signal(signal.SIGKILL, everyone=True)
                self.reader.join(5)

    def kill(self, again=False):
        """As if the machine had lost it; `again`: it is started again, as after a crash."""
        if not again:
            with self.lock:
                self.wanted.clear()
        self._signal(signal.SIGKILL, everyone=True)
        if not again and self.reader:
            self.reader.join(5)
