"""Python programs of this suite, in either environment."""

import os
import subprocess

from clients.process_group import TESTS, ProcessGroup
from lab.environments import SUITE
from support.processes import prepare_child


class Program(ProcessGroup):
    """A process group with the application's description and the journal's path in its environment."""

    def __init__(self, name, environment, options, journal):
        super().__init__(name)
        self.environment = environment
        self.options = options
        self.journal = journal

    def spawn_program(self, arguments, **pipes):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.environment.python, *arguments],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([str(SUITE), str(TESTS)]),
                    "PYTHONUNBUFFERED": "1",
                    "C_FORCE_ROOT": "1",
                    "LAB_APP": self.options.to_json(),
                    "LAB_JOURNAL": str(self.journal.path),
                },
                cwd=self.directory,
                start_new_session=True,
                stderr=log,
                preexec_fn=prepare_child,
                **{"stdin": subprocess.DEVNULL, "stdout": log, **pipes},
            )

    def close(self):
        for pipe in (self.process.stdin, self.process.stdout) if self.process else ():
            if pipe:
                pipe.close()
        super().close()
