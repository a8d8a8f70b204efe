"""`python -m lab.client_process`: an application's client side in its own process and environment.

A line of JSON on stdin is a call ({"do": "send", ...}), a line of JSON on stdout its answer. The other end is
lab.client.Client.
"""

import datetime
import json
import sys

from celery import chain, chord, group
from celery.result import AsyncResult

from lab.app import app


def signature(described):
    """{"task":, "args":, ...} or {"chain"|"group": [...]} or {"chord": [...], "body": {...}}"""
    if "chain" in described:
        return chain(*map(signature, described["chain"]))
    if "group" in described:
        return group(*map(signature, described["group"]))
    if "chord" in described:
        return chord(list(map(signature, described["chord"])), signature(described["body"]))
    options = described.get("options", {})
    return (
        app.tasks[described["task"]]
        .s(*described.get("args", []), **described.get("kwargs", {}))
        .set(**options)
    )


def with_times(options):
    """ "eta_in" and "expires_in" are seconds from now: the client's clock decides, as in an application."""
    now = datetime.datetime.now(datetime.UTC)
    options = dict(options)
    if "eta_in" in options:
        options["eta"] = now + datetime.timedelta(seconds=options.pop("eta_in"))
    if "expires_in" in options:
        options["expires"] = now + datetime.timedelta(seconds=options.pop("expires_in"))
    return options


def send(name, args=(), kwargs=None, options=None):
    return app.send_task(name, args, kwargs or {}, **with_times(options or {})).id


def send_many(name, many, options=None):
    """A task for each list of arguments, over one connection."""
    ids = []
    with app.producer_pool.acquire(block=True) as producer:
        for args in many:
            ids.append(app.send_task(name, args, producer=producer, **with_times(options or {})).id)
    return ids


def start(workflow):
    sent = signature(workflow).apply_async()
    parents, one = [], sent.parent
    while one is not None:
        parents.append(one.id)
        one = one.parent
    children = [child.id for child in getattr(sent, "results", None) or []]
    return {"id": sent.id, "parents": parents, "children": children}


def result(id, timeout=30):
    return AsyncResult(id, app=app).get(timeout=timeout)


def state(id):
    return AsyncResult(id, app=app).state


def inspect(method, timeout=2.0, args=(), **options):
    return getattr(app.control.inspect(timeout=timeout, **options), method)(*args)


def control(method, args=(), **options):
    return getattr(app.control, method)(*args, **options)


def depth(queue):
    with app.connection_for_read() as connection:
        return connection.default_channel._size(queue)


def purge(queue):
    with app.connection_for_write() as connection:
        return connection.default_channel.queue_purge(queue)


def versions():
    import celery
    import kombu
    import redis

    return {module.__name__: module.__version__ for module in (celery, kombu, redis)}


CALLS = {
    call.__name__: call
    for call in (send, send_many, start, result, state, inspect, control, depth, purge, versions)
}


def main():
    for line in sys.stdin:
        call = json.loads(line)
        try:
            answer = {"value": CALLS[call.pop("do")](**call)}
        except Exception as error:  # whatever it is, the test that asked should see it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, default=str), flush=True)


if __name__ == "__main__":
    main()
