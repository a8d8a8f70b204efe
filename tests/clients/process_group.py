"""A service with child processes: its group lives and dies as one."""

import contextlib
import os
import pathlib
import signal
import subprocess

from support.processes import Process

TESTS = pathlib.Path(__file__).resolve().parents[1]


class ProcessGroup(Process):
    """Runs with tests/ on the Python path and with the environment given."""

    def spawn_group(self, arguments, environment):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(TESTS), "PYTHONUNBUFFERED": "1", **environment},
                cwd=self.directory,
                start_new_session=True,
            )

    def kill_group(self):
        """Power loss: the service and its children at once. Children may have outlived it."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()

    def close(self):
        self.kill_group()
        super().close()
