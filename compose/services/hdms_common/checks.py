"""The connections of a service, each tried from end to end: what answers, how fast, or why not.

A check has its own deadline. One that hangs is left to its thread, and no second is started meanwhile.
"""

import asyncio
import secrets
import threading
import time
from dataclasses import asdict, dataclass

import psycopg
import redis
from django.conf import settings

from hdms_common.diagnosis import diagnose_database, diagnose_redis
from hdms_common.settings import Use

CHECK_SECONDS = 4
CONNECT_SECONDS = 3


@dataclass(frozen=True)
class Report:
    name: str
    ok: bool
    where: str
    ms: float
    detail: str = ""
    problem: str = ""
    cause: str = ""
    remedy: str = ""

    def as_json(self):
        return {name: value for name, value in asdict(self).items() if value != ""}


class Check:
    def __init__(self, name, where, ask, diagnose):
        self.name = name
        self.where = where
        self.ask = ask
        self.diagnose = diagnose
        self.lock = threading.Lock()
        self.running = None

    def start(self):
        with self.lock:
            if self.running is None or self.running.done.is_set():
                self.running = Attempt(self)
            return self.running


class Attempt:
    def __init__(self, check):
        self.check = check
        self.begin = time.monotonic()
        self.done = threading.Event()
        self.report = None
        threading.Thread(target=self.run, name=f"check-{check.name}", daemon=True).start()

    def run(self):
        try:
            detail = self.check.ask()
            self.report = self.told(ok=True, detail=detail)
        except Exception as error:
            self.report = self.failed(error)
        finally:
            self.done.set()

    def result(self, seconds):
        if self.done.wait(max(0.0, seconds)):
            return self.report
        return self.failed(TimeoutError(f"timed out, no answer for {time.monotonic() - self.begin:.1f} s"))

    def failed(self, error):
        found = self.check.diagnose(error)
        return self.told(ok=False, problem=found.problem.value, cause=found.cause, remedy=found.remedy)

    def told(self, **found):
        ms = round((time.monotonic() - self.begin) * 1000, 1)
        return Report(name=self.check.name, where=self.check.where, ms=ms, **found)


def ask_database():
    """Through PgBouncer as the service does, to the server's own words."""
    wanted = settings.DATABASES["default"]
    with psycopg.connect(
        host=wanted["HOST"],
        port=wanted["PORT"],
        dbname=wanted["NAME"],
        user=wanted["USER"],
        password=wanted["PASSWORD"],
        connect_timeout=CONNECT_SECONDS,
        prepare_threshold=None,
    ) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version'), current_setting('statement_timeout'),"
            " inet_server_port()"
        ).fetchone()
    version, timeout, port = row
    behind = f"port {port}" if port else "a unix socket"
    return f"PostgreSQL {version.split()[0]} on {behind}, statement timeout {timeout}"


def redis_client(url):
    return redis.Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS)


def ask_cache():
    key = f"hdms:check:{secrets.token_hex(8)}"
    with redis_client(settings.CACHES["default"]["LOCATION"]) as client:
        client.set(key, "1", ex=10)
        if client.get(key) != b"1":
            raise ConnectionError("what was written was not read back")
        client.delete(key)
    return "written, read and deleted"


def ask_broker():
    with redis_client(settings.CELERY_BROKER_URL) as client:
        client.ping()
        waiting = client.llen("celery")
    return f"{waiting} tasks waiting"


def ask_channels():
    with redis_client(settings.CHANNEL_LAYERS["default"]["CONFIG"]["hosts"][0]) as client:
        client.ping()
    return asyncio.run(channel_round_trip())


async def channel_round_trip():
    from channels.layers import channel_layers

    layer = channel_layers.make_backend("default")
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            name = await layer.new_channel()
            await layer.send(name, {"type": "hdms.check"})
            await layer.receive(name)
    finally:
        await close_layer(layer)
    return f"sent and received by {type(layer).__name__}"


async def close_layer(layer):
    """Each layer has its own name for it."""
    await (layer.close() if hasattr(layer, "close") else layer.close_pools())


def checks_of_service():
    checks = [
        Check("database", settings.HDMS_DATABASE_PLACE, ask_database, diagnose_database),
        Check("cache", settings.HDMS_CACHE_PLACE, ask_cache, diagnose_redis),
    ]
    if Use.broker in settings.HDMS_USES:
        checks.append(Check("broker", settings.HDMS_BROKER_PLACE, ask_broker, diagnose_redis))
    if Use.channels in settings.HDMS_USES:
        checks.append(Check("channels", settings.HDMS_CHANNELS_PLACE, ask_channels, diagnose_redis))
    return checks


def run_checks(checks, seconds=CHECK_SECONDS):
    """All at once; each answers or is reported late within the seconds."""
    deadline = time.monotonic() + seconds
    attempts = [check.start() for check in checks]
    return [attempt.result(deadline - time.monotonic()) for attempt in attempts]
