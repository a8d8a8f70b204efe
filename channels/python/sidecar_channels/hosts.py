"""The `hosts` option: in every form that channels_redis takes, and what redis-py makes of it.

Several hosts are several sidecars of one layer: the first that answers serves, the others are its reserve.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis import asyncio as aioredis
from redis.exceptions import TimeoutError as RedisTimeoutError

DEFAULT = "redis://localhost:6379/1"

CONNECT_TIMEOUT_SECONDS = 5.0

FAILURES = 2


def decode_hosts(hosts: Sequence[Any] | None) -> list[dict[str, Any]]:
    """Each entry (URL, (host, port), dict of redis-py's keywords) as keywords. ValueError for a bare str."""
    if not hosts:
        return [{"address": DEFAULT}]
    if isinstance(hosts, (str, bytes)):
        raise ValueError("hosts must be a list, even of one sidecar")
    return [_decode(entry) for entry in hosts]


def _decode(entry: Any) -> dict[str, Any]:
    if isinstance(entry, dict):
        return dict(entry)
    if isinstance(entry, (tuple, list)):
        return {"host": entry[0], "port": entry[1]}
    return {"address": entry}


def make_pool(host: dict[str, Any]) -> Any:
    """A redis-py pool, used for its make_connection() only: it knows URLs, TLS, unix sockets and Sentinel.

    Time limits on the socket are void here: a connection that waits for messages is silent for long, and what
    is asked of the sidecar has time limits of its own.
    """
    options = dict(host)
    options.update(decode_responses=False, socket_timeout=None)
    options.setdefault("socket_connect_timeout", CONNECT_TIMEOUT_SECONDS)
    address = options.pop("address", None)
    if address is not None:
        pool = aioredis.ConnectionPool.from_url(address, **options)
        pool.connection_kwargs.update(decode_responses=False, socket_timeout=None)
        return pool
    master = options.pop("master_name", None)
    if master is None:
        return aioredis.ConnectionPool(**options)
    watchers = aioredis.sentinel.Sentinel(
        options.pop("sentinels"), sentinel_kwargs=options.pop("sentinel_kwargs", None)
    )
    return aioredis.sentinel.SentinelConnectionPool(master, watchers, **options)


class Hosts:
    """Which sidecar is the layer's now. Stays with one until it failed twice in a row or said nothing."""

    def __init__(self, hosts: list[dict[str, Any]]) -> None:
        self.hosts = hosts
        self.current = 0
        self.failures = 0
        self._pools: dict[int, Any] = {}

    def make_connection(self) -> Any:
        if self.current not in self._pools:
            self._pools[self.current] = make_pool(self.hosts[self.current])
        return self._pools[self.current].make_connection()

    def succeeded(self) -> None:
        self.failures = 0

    def failed(self, index: int, error: BaseException) -> None:
        """A connection to hosts[index] could not be made. Others may have noticed first."""
        if index != self.current:
            return
        silent = isinstance(error, (TimeoutError, RedisTimeoutError))
        self.failures += FAILURES if silent else 1
        if self.failures >= FAILURES and len(self.hosts) > 1:
            self.current = (self.current + 1) % len(self.hosts)
            self.failures = 0
