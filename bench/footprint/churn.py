"""Clients that come, do everything once in a while, and go, for a long time: nothing may be left behind."""

import contextlib
import random
import threading
import time

from bench.footprint.service import Closed, Service, TimedOut, encode

THREADS = 6
STANDING = 60  # clients of a thread that are connected at any time
KEYS = 200
LARGE = b"L" * (1 << 20)
GROWTH_MAX = 64 * 1024  # bytes of a minute, over the second half
GONE = (Closed, OSError, TimedOut)


def pipelined(client, key):
    keys = [f"{key}:{number}" for number in range(30)]
    client.pipeline(*[("SET", name, name) for name in keys], *[("GET", name) for name in keys])


def transaction_typed(client, key):
    for words in (("WATCH", key), ("MULTI",), ("INCR", f"{key}:n"), ("EXPIRE", f"{key}:n", 60), ("EXEC",)):
        client.command(*words)


def transaction_whole(client, key):
    client.pipeline(("MULTI",), ("HSET", f"{key}:h", "f", key), ("ZADD", f"{key}:z", 1, "m"), ("EXEC",))


def transaction_abandoned(client, key):
    client.command("MULTI")
    client.command("SET", key, "never")


def blocking_answered(client, key):
    queue = f"{key}:q"
    client.command("LPUSH", queue, "element")
    client.command("BRPOP", queue, 1)


def blocking_in_vain(client, key):
    client.command("BLPOP", f"{key}:none", "0.02")


def blocking_abandoned(client, key):
    client.send_command("BZPOPMIN", f"{key}:nobody", 0)


def listening(client, key):
    channel = f"news.{key}"
    client.command("SUBSCRIBE", channel)
    client.command("UNSUBSCRIBE", channel)
    client.command("PSUBSCRIBE", f"pattern.{key}.*")


def publishing(client, key):
    client.command("PUBLISH", f"news.{key}", "x" * 100)
    client.command("PUBLISH", f"pattern.{key}.a", "x" * 5000)


def large(client, key):
    client.command("SET", f"{key}:large", LARGE, "PX", 5000)
    client.command("GET", f"{key}:large")


def large_unread(client, key):
    client.command("SET", f"{key}:large", LARGE, "PX", 5000)
    client.send(encode("GET", f"{key}:large") * 4, read_meanwhile=False)


def scripted(client, key):
    client.command("EVAL", "return redis.call('INCR', KEYS[1])", 1, f"{key}:script")


def named(client, key):
    client.command("CLIENT", "SETNAME", f"name-{key}")
    client.command("CLIENT", "LIST")
    client.command("RESET")


def malformed(client, _):
    client.send(b"*1\r\n$3\r\nGE")


ACTIONS = [
    (pipelined, 6),
    (transaction_typed, 3),
    (transaction_whole, 5),
    (transaction_abandoned, 1),
    (blocking_answered, 4),
    (blocking_in_vain, 3),
    (blocking_abandoned, 1),
    (listening, 3),
    (publishing, 4),
    (large, 1),
    (large_unread, 1),
    (scripted, 3),
    (named, 1),
    (malformed, 1),
]
LAST = (transaction_abandoned, blocking_abandoned, listening, large_unread, malformed)
FUNCTIONS = [function for function, _ in ACTIONS]
WEIGHTS = [weight for _, weight in ACTIONS]


class Worker(threading.Thread):
    """Keeps STANDING clients; each does one thing at a time until it is its turn to go."""

    def __init__(self, service, seed, end):
        super().__init__(daemon=True)
        self.service = service
        self.random = random.Random(seed)
        self.end = end
        self.done = 0
        self.lost = 0
        self.failure = None

    def run(self):
        clients = []
        try:
            while not self.end.is_set():
                self.turn(clients)
        except BaseException as error:  # for the main thread to raise
            self.failure = error
        for client in clients:
            client.close()

    def turn(self, clients):
        if len(clients) < STANDING:
            clients.append(self.newcomer())
        place = self.random.randrange(len(clients))
        client = clients[place]
        action = self.random.choices(FUNCTIONS, WEIGHTS)[0]
        try:
            action(client, f"k{self.random.randrange(KEYS)}")
            self.done += 1
        except GONE:
            self.lost += 1
        if action in LAST or action is named or self.random.random() < 0.1:
            clients.pop(place)
            with contextlib.suppress(OSError):
                client.reset() if self.random.random() < 0.3 else client.close()

    def newcomer(self):
        sidecar = self.service.sidecar
        return sidecar.client(self.random.randrange(3), self.random.choice((2, 3)), timeout=10)


def slope_per_minute(samples):
    """Least squares over (seconds, bytes)."""
    count = len(samples)
    mean_x = sum(x for x, _ in samples) / count
    mean_y = sum(y for _, y in samples) / count
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread * 60


def sample(service, workers, minutes):
    samples, connections = [], []
    begin = time.monotonic()
    while (elapsed := time.monotonic() - begin) < minutes * 60:
        time.sleep(min(2.0, minutes * 1.5))
        samples.append((elapsed, service.sidecar.resident_bytes()))
        connections.append(service.connections())
        for worker in workers:
            if worker.failure is not None:
                raise worker.failure
    return samples, connections


def churn(minutes, seed=1):
    end = threading.Event()
    with Service(THREADS * STANDING * 4) as service:
        workers = [Worker(service, seed * 1000 + number, end) for number in range(THREADS)]
        for worker in workers:
            worker.start()
        try:
            samples, connections = sample(service, workers, minutes)
        finally:
            end.set()
            for worker in workers:
                worker.join(60)
        accepted = service.sidecar.metric("sidecar_clients_accepted_total")
    half = samples[len(samples) // 2 :]
    slope = slope_per_minute(half)
    held = max(c["links"] for c in connections)
    return {
        "minutes": minutes,
        "clients_served": int(accepted),
        "actions": sum(worker.done for worker in workers),
        "clients_lost": sum(worker.lost for worker in workers),
        "resident_mib": [round(y / 2**20, 1) for _, y in samples[:: max(1, len(samples) // 20)]],
        "slope_kib_per_minute": round(slope / 1024, 1),
        "links_max": held,
        "leases_in_use_max": max(c["leases_in_use"] for c in connections),
        "leases_idle_max": max(c["leases_idle"] for c in connections),
        "holds": abs(slope) <= GROWTH_MAX or slope < 0,
    }
