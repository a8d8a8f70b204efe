import time

import pytest

from differential.pairs import Pairs

PAIRS = pytest.StashKey[Pairs]()
LONG = 10_000  # conversations
SECONDS = 20  # from one line of progress to the next


@pytest.fixture(scope="session")
def pairs(request):
    made = request.config.stash[PAIRS] = Pairs(request.config.getoption("--against"))
    yield made
    made.close()


class Progress:
    """Says how far a long run is, and at once what failed."""

    def __init__(self, config):
        self.config = config
        self.begun = self.told = time.monotonic()

    def pytest_runtest_logfinish(self):
        now = time.monotonic()
        if now - self.told < SECONDS or PAIRS not in self.config.stash:
            return
        self.told = now
        held, wanted = self.config.stash[PAIRS].held.total(), self.config.getoption("--conversations")
        line = f" {held} of about {wanted} conversations, {held / (now - self.begun):.0f} a second"
        self._tell(line)

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self._tell("\n" + report.longreprtext)

    def _tell(self, text):
        self.config.pluginmanager.get_plugin("terminalreporter").write_line(text)


def pytest_configure(config):
    if config.getoption("--conversations") >= LONG:
        config.pluginmanager.register(Progress(config))


def pytest_terminal_summary(terminalreporter, config):
    if PAIRS in config.stash:
        held = config.stash[PAIRS].held
        each = ", ".join(f"{kind} {count}" for kind, count in held.items())
        terminalreporter.write_line(f"conversations held: {held.total()} ({each})")
