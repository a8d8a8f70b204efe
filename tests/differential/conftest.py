import pytest

from differential.pairs import Pairs


@pytest.fixture(scope="session")
def pairs(request):
    made = Pairs(request.config.getoption("--against"))
    yield made
    made.close()
