import pytest

from differential.pairs import Pairs

PAIRS = pytest.StashKey[Pairs]()


@pytest.fixture(scope="session")
def pairs(request):
    made = request.config.stash[PAIRS] = Pairs(request.config.getoption("--against"))
    yield made
    made.close()


def pytest_terminal_summary(terminalreporter, config):
    if PAIRS in config.stash:
        held = config.stash[PAIRS].held
        each = ", ".join(f"{kind} {count}" for kind, count in held.items())
        terminalreporter.write_line(f"conversations held: {held.total()} ({each})")
