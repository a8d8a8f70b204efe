"""Redis and the sidecar as services meet them: one URL per role, nothing else differs.

SIDECAR_TEST_DIRECT=1 points the same URLs at plain Redis, so that a failure can be told apart: what fails
there too is not the sidecar's.
"""

import os

from support import RedisServer, Sidecar

DIRECT = os.environ.get("SIDECAR_TEST_DIRECT") == "1"
THREADS_DEFAULT = 4
THREADS_BOTH = [THREADS_DEFAULT] if DIRECT else [1, THREADS_DEFAULT]

CACHE_DB, CHANNELS_DB, BROKER_DB = 0, 1, 2


class Stack:
    def __init__(self, threads=THREADS_DEFAULT, password=None, **redis_options):
        self.redis = RedisServer(password=password, **redis_options)
        self.password = password
        flags = ["--threads", str(threads)]
        flags += ["--password", password] if password else []
        try:
            self.sidecar = None if DIRECT else Sidecar(f"redis://127.0.0.1:{self.redis.port}", *flags)
        except BaseException:
            self.redis.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.sidecar:
            self.sidecar.close()
        self.redis.close()

    def url(self, db):
        host, port = self.redis.address if DIRECT else self.sidecar.address
        return f"redis://{f':{self.password}@' if self.password else ''}{host}:{port}/{db}"

    @property
    def cache_url(self):
        return self.url(CACHE_DB)

    @property
    def channels_url(self):
        return self.url(CHANNELS_DB)

    @property
    def broker_url(self):
        return self.url(BROKER_DB)

    @property
    def environment(self):
        return {"CACHE_URL": self.cache_url, "CHANNELS_URL": self.channels_url, "BROKER_URL": self.broker_url}

    def upstream(self, *args, db=0):
        """A command that bypasses the sidecar."""
        return self.redis.command(*args, db=db)

    def flush(self):
        self.upstream("FLUSHALL")

    def sizes(self):
        return [self.upstream("DBSIZE", db=db) for db in (CACHE_DB, CHANNELS_DB, BROKER_DB)]

    def check_alive(self):
        assert self.redis.running, f"redis-server died:\n{self.redis.log_tail()}"
        assert not self.sidecar or self.sidecar.running, f"the sidecar died:\n{self.sidecar.log_tail()}"
