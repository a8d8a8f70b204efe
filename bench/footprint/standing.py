"""What clients cost that stand there: idle ones of several pasts, and active ones."""

import itertools
import time

from bench.footprint.service import (
    LINKS_PER_SHARD_MAX,
    THREADS,
    Service,
    eventually,
    everyday,
    greeting,
    step,
)

IDLE_BYTES_MAX = 4096
LARGE = "x" * 200_000
SETTLED_SECONDS = 3


def after_large_values(number):
    key = f"large:{number % 20}"
    return [
        step(3, ("SET", key, LARGE), ("GET", key)),
        step(400, *[("GET", f"key:{number}")] * 200),
        step(400, *[("GET", f"key:{number}")] * 200),
    ]


def after_typed_transaction(number):
    key = f"tx:{number}"
    return [step(1, (*words,)) for words in (("WATCH", key), ("MULTI",), ("SET", key, 1))] + [
        step(2, ("EXEC",)),
    ]


def subscribed(number):
    return [step(6, ("SUBSCRIBE", f"asgi.channel.{number}" if number % 3 == 1 else f"news.{number}"))]


PASTS = {
    "connected": (),
    "a few commands": (greeting, everyday),
    "large values and pipelines": (greeting, everyday, after_large_values),
    "a typed transaction": (greeting, after_typed_transaction),
    "subscribed to one name each": (greeting, subscribed),
}


def idle(count, past, certificates=None):
    """Bytes per idle client of a past, connections upstream, CPU while nothing happens."""
    with Service(count, certificates=certificates) as service:
        with service.crowd() as crowd:
            crowd.join(count)
            eventually(lambda: service.sidecar.metric("sidecar_clients") >= count, 60)
            for part in PASTS[past]:
                crowd.do(part)
            begin, cpu = time.monotonic(), service.cpu_seconds()
            time.sleep(SETTLED_SECONDS)
            cpu_share = (service.cpu_seconds() - cpu) / (time.monotonic() - begin)
            grown = service.grown()
            connections = service.connections()
        eventually(lambda: service.sidecar.metric("sidecar_clients") == 0, 60)
        left = service.grown()
    return {
        "past": past,
        "tls": certificates is not None,
        "clients": count,
        "bytes_per_client": round(grown / count),
        "cpu_share_idle": round(cpu_share, 3),
        "bytes_left_when_all_are_gone": left,
        **connections,
        "holds": certificates is not None or (grown / count <= IDLE_BYTES_MAX and bounded(connections)),
    }


def everyday_for_ever(number):
    return itertools.cycle(everyday(number))


def active(count, seconds):
    """All clients send their next step as soon as the last is answered."""
    with Service(count) as service, service.crowd() as crowd:
        crowd.join(count)
        crowd.do(greeting)
        samples, resident = [], []

        def look():
            samples.append(service.connections())
            resident.append(service.grown())

        cpu = service.cpu_seconds()
        steps = crowd.keep_doing(everyday_for_ever, seconds, look)
        worst = max(samples, key=lambda sample: sample["at_redis"])
        return {
            "clients": count,
            "steps_per_second": round(steps / seconds),
            "cpu_us_per_step": round((service.cpu_seconds() - cpu) * 1e6 / steps, 1),
            "bytes_per_client_max": round(max(resident) / count),
            **worst,
            "holds": all(map(bounded, samples)),
        }


def bounded(connections):
    held = connections["at_redis"] - connections["leases_in_use"]
    return held <= LINKS_PER_SHARD_MAX * THREADS
