import pytest

from support import Certificates, RedisServer, Sidecar
from support.starter import start  # noqa: F401


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def strict():
    """One Redis and one strict sidecar for all cases of a module; `Split.check` restores the data."""
    with RedisServer() as redis, Sidecar(redis.url, "--policy", "strict", "--threads", "2") as sidecar:
        yield Split(redis, sidecar)


class Split:
    """A sidecar whose three dbs hold known keys, so that any crossing shows."""

    def __init__(self, redis, sidecar):
        self.redis, self.sidecar = redis, sidecar
        self.fill()

    def fill(self):
        with self.redis.client() as direct:
            direct.command("FLUSHALL")
            for db in (0, 1, 2, 3):
                direct.pipeline(
                    ("SELECT", db),
                    ("SET", "k", f"of {db}"),
                    ("SET", "other", "x"),
                    ("RPUSH", "list", "a", "b"),
                )

    def digests(self, *dbs):
        found = {}
        with self.redis.client() as direct:
            for db in dbs:
                direct.command("SELECT", db)
                names = sorted(direct.command("KEYS", "*"))
                found[db] = [(name, direct.command("DUMP", name)) for name in names]
        return found

    def refusals(self):
        return self.sidecar.metric("sidecar_policy_refusals_total")
