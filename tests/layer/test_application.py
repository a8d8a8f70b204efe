"""A real Channels application with 200 WebSocket clients, through two losses of Redis.

Redis forgets nothing it acknowledged and comes back within --hold. Through the sidecar no consumer may crash
and no message may be missing or come twice; the same application on plain Redis is run beside it and only
printed.
"""

import asyncio

import pytest

from layer.app.crowd import Crowd, Table
from layer.app.servers import Deployment, Server
from layer.layers import Kind

OUTAGE_SECONDS = 0.5
KINDS = [pytest.param(kind, id=kind.name) for kind in Kind]
CONNECTIONS = 500
# Redis answers a publisher and writes to each subscriber one after the other, and nobody keeps what is
# published: a message amid which it is killed reaches some.
MAY_CUT_OFF = (Kind.pubsub,)
CAPACITY = 5000  # that nothing is dropped for a full queue: dropping is no loss to be measured here


def layer_settings(kind, url):
    """The pool of redis-py has 100 connections unless told otherwise: fewer than a process has consumers."""
    if kind is Kind.native:
        return {"hosts": [url], "capacity": CAPACITY}
    hosts = [{"address": url, "max_connections": CONNECTIONS}]
    return {"hosts": hosts, "capacity": CAPACITY} if kind is Kind.core else {"hosts": hosts}


def run_chat(server, kind, url, redis, directory):
    """The table of one run, with the servers' logs."""

    async def outage():
        redis.kill()
        await asyncio.sleep(OUTAGE_SECONDS)
        redis.start()  # not in another thread: a child ends with the thread that started it

    directory.mkdir()
    with Deployment(server, kind.backend, [layer_settings(kind, url)] * 2, directory) as deployment:
        crowd = Crowd(deployment.paths)
        asyncio.run(crowd.run([(0.25, outage), (0.65, outage)]))
        return crowd.table(deployment.crashes()), deployment.log_tails()


@pytest.mark.parametrize("server", list(Server), ids=lambda each: each.value)
@pytest.mark.parametrize("kind", KINDS)
def test_a_chat_outlives_two_losses_of_redis(site, server, kind, tmp_path, capsys):
    table, logs = run_chat(server, kind, site.url(), site.redis, tmp_path / "sidecar")
    lines = [Table.head(), table.line(f"{kind.name} {server.value}, sidecar")]
    if kind is not Kind.native:
        site.empty()
        bare, _ = run_chat(server, kind, site.direct_url, site.redis, tmp_path / "bare")
        lines.append(bare.line(f"{kind.name} {server.value}, plain Redis"))
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    said = "\n".join([*lines, str(table.errors), logs])
    assert table.crashes == 0, said
    assert table.reconnects == 0, said
    assert (table.lost, table.doubled, table.disordered) == (0, 0, 0), said
    assert table.cut_off == 0 or kind in MAY_CUT_OFF, said
