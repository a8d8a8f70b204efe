"""The rounds: every workload against every contender, in a rotated order, so that what disturbs the machine
meets all of them alike."""

import time

from bench.proxy import processes


def one(workload, contender, redis, requests):
    """One run: what the load saw, and what it cost the proxy and Redis by the scheduler's accounting."""
    before = workload.prepare(redis.port)
    steal = processes.steal_ticks()
    redis_ns = processes.cpu_ns(redis.pid)
    if contender.pid is not None:
        proxy_ns = processes.cpu_ns(contender.pid)
        user, system = processes.cpu_ticks(contender.pid)
    begin = time.monotonic()
    figures = workload.run(contender.port, requests)
    figures["seconds"] = time.monotonic() - begin
    commands = figures["commands"]
    figures["redis_cpu_us"] = (processes.cpu_ns(redis.pid) - redis_ns) / 1000 / commands
    if contender.pid is not None:
        figures["proxy_cpu_us"] = (processes.cpu_ns(contender.pid) - proxy_ns) / 1000 / commands
        user_now, system_now = processes.cpu_ticks(contender.pid)
        user, system = user_now - user, system_now - system
        figures["user_share"] = user / max(1, user + system)
    figures["steal_ticks"] = processes.steal_ticks() - steal
    workload.verify(redis.port, before, requests)
    return figures


def rounds(workloads, contenders, redis, count, divisor, tell):
    """Yields a record for each run."""
    for number in range(count):
        for place, workload in enumerate(workloads):
            present = [each for each in contenders if each.name not in workload.absent]
            shift = (number + place) % len(present)
            for contender in present[shift:] + present[:shift]:
                figures = one(workload, contender, redis, workload.scaled(divisor))
                record = {"round": number, "workload": workload.name, "contender": contender.name, **figures}
                tell(record)
                yield record
