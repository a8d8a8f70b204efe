"""Redis that forgets nothing it acknowledged, behind the fault proxy, and the sidecar in front of both."""

import contextlib

from support import FaultProxy, RedisServer, Sidecar, Towards, eventually

DURABLE = {"appendonly": "yes", "appendfsync": "always"}


class Site:
    def __init__(self, *flags, **redis_options):
        self.stack = contextlib.ExitStack()
        self._refusals = ()
        with contextlib.ExitStack() as building:
            self.redis = building.enter_context(RedisServer(**DURABLE, **redis_options))
            self.proxy = building.enter_context(FaultProxy(self.redis.address))
            url = self.proxy.url
            if self.redis.password:
                url = url.replace("://", f"://:{self.redis.password}@")
            self.sidecar = building.enter_context(Sidecar(url, "--threads", "2", *flags))
            self.stack = building.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def url(self, db):
        return self.sidecar.url(db)

    @property
    def environment(self):
        return {"CACHE_URL": self.url(0), "CHANNELS_URL": self.url(1), "BROKER_URL": self.url(2)}

    @contextlib.contextmanager
    def redis_setting(self, name, value):
        """Over a connection that stays: new ones may not be possible meanwhile."""
        with self.redis.client() as admin:
            before = admin.command("CONFIG", "GET", name)[1]
            assert admin.command("CONFIG", "SET", name, value) == "OK"
            try:
                yield admin
            finally:
                assert admin.command("CONFIG", "SET", name, before) == "OK"

    def refusing(self, *words):
        """Until all is well again clients may get errors with one of these words."""
        self._refusals += words

    def may_refuse(self, text):
        return any(word in text for word in self._refusals)

    def heal(self):
        """Ends every fault that may still be there, also after a test that failed in its middle."""
        self.redis.thaw()
        self.redis.limit_file_size(None)
        self.sidecar.limit_descriptors(None)
        self.proxy.disarm()
        self.proxy.accept()
        for towards in Towards:
            self.proxy.flow(towards)
            self.proxy.delay(0, towards)
        with contextlib.suppress(AssertionError):
            if self.usable:
                self.wait_ready()

    def all_well_again(self):
        self._refusals = ()

    def ready(self):
        return self.sidecar.http("/readyz")[0] == 200

    def wait_ready(self, seconds=10):
        eventually(self.ready, seconds, message="not ready again")

    def wait_away(self, seconds=10):
        eventually(lambda: not self.ready(), seconds, message="the loss is not noticed")

    @property
    def usable(self):
        return self.sidecar.running and self.redis.running
