"""Child processes of a test: a directory and a log of their own, stopped by pid, never left behind."""

import ctypes
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import tempfile


def free_port():
    """A loopback port nobody listens on now. Another process may take it first: callers retry."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def prepare_child(descriptors=None):
    """Runs in the child: when the test run itself is killed, nothing stays behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # A file that may not grow is an error of the write, as on a full disk, not the end.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))


class Process:
    def __init__(self, name):
        self.name = name
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self.log_path = self.directory / "log"
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def spawn(self, arguments, stdout=None, env=None, descriptors=None):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=stdout or log,
                stderr=log,
                env=None if env is None else {**os.environ, **env},
                cwd=self.directory,
                preexec_fn=lambda: prepare_child(descriptors),
            )

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def signal(self, number):
        if self.running:
            self.process.send_signal(number)

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def limit_file_size(self, limit):
        """As if the disk were full beyond that; None: as if there were space again."""
        if self.running:
            soft = resource.RLIM_INFINITY if limit is None else limit
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))

    def limit_descriptors(self, limit):
        """None: as many as before."""
        if self.running:
            now = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (now[1] if limit is None else limit, now[1]))

    def kill(self):
        """As if the machine had lost it: no orderly shutdown."""
        if self.running:
            self.process.kill()
            self.process.wait()

    def stop(self, seconds=15):
        """Orderly; returns the exit status."""
        if self.running:
            self.thaw()
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"{self.name} did not end at SIGTERM:\n{self.log_tail()}") from None
        return self.process.returncode if self.process else None

    def resident_bytes(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def close(self):
        try:
            self.thaw()
            self.kill()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
