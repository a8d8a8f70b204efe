"""The rounds: every workload against every contender, in a rotated order, so that what disturbs the machine
meets all of them alike."""

import time
import urllib.request

from bench.proxy import processes

COUNTERS = {"leases": "sidecar_leases_granted_total", "whole": "sidecar_whole_transactions_total"}


def counters(contender):
    """What a sidecar tells of its own work; nothing of other contenders."""
    if contender.http is None:
        return {}
    with urllib.request.urlopen(f"http://127.0.0.1:{contender.http}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return {name: int(float(values[metric])) for name, metric in COUNTERS.items() if metric in values}


class Meter:
    """CPU time since it was made, of a contender and of Redis."""

    def __init__(self, contender, redis):
        self.redis = redis.pid
        self.proxy = contender.pid
        self.begin = self.now()

    def now(self):
        taken = [time.monotonic(), processes.steal_ticks(), processes.cpu_ns(self.redis)]
        if self.proxy is not None:
            taken += [processes.cpu_ns(self.proxy), *processes.cpu_ticks(self.proxy)]
        return taken

    def per_command(self, figures):
        seconds, steal, redis, *proxy = (now - then for now, then in zip(self.now(), self.begin))
        commands = figures["commands"]
        taken = {"seconds": seconds, "steal_ticks": steal, "redis_cpu_us": redis / 1000 / commands}
        if proxy:
            cpu, user, system = proxy
            taken |= {"proxy_cpu_us": cpu / 1000 / commands, "user_share": user / max(1, user + system)}
            if "batches" in figures:
                taken["batch_cpu_us"] = cpu / 1000 / figures["batches"]
        return taken


def one(workload, contender, redis, requests, tools):
    """One run: what the load saw, and what it cost the proxy and Redis by the scheduler's accounting."""
    before = workload.prepare(redis.port)
    counted = counters(contender)
    meter = Meter(contender, redis)
    figures = workload.run(contender.port, requests, tools)
    figures |= meter.per_command(figures)
    figures |= {name: value - counted[name] for name, value in counters(contender).items()}
    workload.verify(redis.port, before, figures)
    return figures


def rounds(workloads, stand, count, divisor):
    """Yields a record for each run."""
    for number in range(count):
        for place, workload in enumerate(workloads):
            present = [each for each in stand.contenders if each.name not in workload.absent]
            if not present:
                continue
            shift = (number + place) % len(present)
            for contender in present[shift:] + present[:shift]:
                figures = one(workload, contender, stand.redis, workload.scaled(divisor), stand.tools)
                yield {"round": number, "workload": workload.name, "contender": contender.name, **figures}
