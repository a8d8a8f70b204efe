"""All kinds of clients at once, and the oracle: what each of them knows is compared with Redis at the end."""

from faults.load.message_actors import LayerActor, Publisher, Subscriber
from faults.load.plain_actors import CacheActor, RawActor, TransactionActor, WatchActor
from faults.load.queue_actors import Ledger, ListConsumer, ListProducer, SetConsumer, SetProducer
from support import eventually
from support.polling import slack
from support.stalls import Stalls

MOVES = 3  # operations of each actor that show it at work
SERVICE_BACK_SECONDS = 1.0


class Queue:
    """One queue with its producers and consumers."""

    def __init__(self, site, tag, producer, consumer, producers, consumers):
        self.site, self.key, self.ledger = site, f"{tag}:queue", Ledger()
        self.db = producer.db
        self.producers = [producer(site, f"{tag}:p{n}", self.key, self.ledger) for n in range(producers)]
        self.consumers = [consumer(site, f"{tag}:c{n}", self.key, self.ledger) for n in range(consumers)]

    def remaining(self):
        command = ("LRANGE", "ZRANGE")[isinstance(self.producers[0], SetProducer)]
        return self.site.redis.command(command, self.key, 0, -1, db=self.db)


class MixedLoad:
    """with MixedLoad(site, tag) as load: … Leaving it stops all clients and checks everything."""

    def __init__(self, site, tag, tasks=None):
        self.site = site
        self.queues = [
            Queue(site, f"{tag}:list", ListProducer, ListConsumer, 2, 3),
            Queue(site, f"{tag}:set", SetProducer, SetConsumer, 1, 2),
        ]
        self.raw = [RawActor(site, f"{tag}:raw{number}", 2 + number % 2) for number in range(3)]
        self.pair = (
            Subscriber(site, f"{tag}:sub", f"asgi{tag}"),
            Publisher(site, f"{tag}:pub", f"asgi{tag}"),
        )
        self.tasks = tasks
        self.others = [
            CacheActor(site, f"{tag}:cache"),
            TransactionActor(site, f"{tag}:tx"),
            WatchActor(site, f"{tag}:w1", tag),
            WatchActor(site, f"{tag}:w2", tag),
            LayerActor(site, f"{tag}-layer"),
        ]
        self.others += [tasks] if tasks else []
        self.metrics_before = site.sidecar.metrics()
        self.stalls = Stalls()
        self.extra_lost = 0  # elements a test lets clients take to the grave

    @property
    def producers(self):
        return [actor for queue in self.queues for actor in queue.producers]

    @property
    def consumers(self):
        return [actor for queue in self.queues for actor in queue.consumers]

    @property
    def actors(self):
        return [*self.raw, *self.others, *self.pair, *self.producers, *self.consumers]

    def counted(self, name):
        name = f"sidecar_{name}_total"
        return int(self.site.sidecar.metrics()[name] - self.metrics_before[name])

    def __enter__(self):
        self.stalls.__enter__()
        for actor in self.actors:
            actor.start()
        self.keeps_working()
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.finish()
        finally:
            self.stalls.__exit__()
            for actor in self.actors:
                actor.stop()
            for actor in self.actors:
                actor.thread.join(30)
                actor.close()

    def keeps_working(self, seconds=20):
        """Every actor gets something done from now on."""
        before = {actor: actor.done for actor in self.actors}

        def lagging():
            return [actor.name for actor in self.actors if actor.done < before[actor] + MOVES]

        self.no_problems()
        eventually(lambda: not lagging() or self.problems(), seconds, message="at a standstill")
        self.no_problems()

    def works_again(self, since, within=SERVICE_BACK_SECONDS):
        """Redis answers since then: raw clients are served within a second, everybody after a while."""
        for actor in self.actors:
            actor.measure_recovery(since)
        self.keeps_working()
        slowest = {}
        for actor in self.actors:
            kind = type(actor).__name__
            slowest[kind] = max(slowest.get(kind, 0), actor.recovered_after)
        print("recovered after", {kind: round(seconds, 3) for kind, seconds in sorted(slowest.items())})
        stalled = self.stalls.between(since, since + slowest["RawActor"])
        assert slowest["RawActor"] - stalled < slack(within), (
            slowest,
            f"machine stalled {stalled:.2f} s",
        )

    def problems(self):
        return [problem for actor in self.actors for problem in actor.problems]

    def no_problems(self):
        assert not self.problems(), "\n".join(self.problems()[:10])

    def finish(self):
        for actor in [*self.producers, *self.raw, *self.others, self.pair[1]]:
            actor.stop()
        for actor in [*self.producers, *self.raw, *self.others, self.pair[1]]:
            actor.join()
        for actor in [*self.consumers, self.pair[0]]:
            actor.stop()
        for actor in [*self.consumers, self.pair[0]]:
            actor.join()
        for queue in self.queues:
            queue.consumers[0].finish()
        eventually(lambda: self.site.redis.blocked_clients() == 0 or self.tasks, 10)
        self.no_problems()
        for actor in self.actors:
            actor.check(self.site.redis)
        self.no_problems()
        self.check_queues()

    def check_queues(self):
        lost, doubled = set(), set()
        for queue in self.queues:
            twice, foreign, missing = queue.ledger.verdict(queue.remaining())
            assert not foreign, f"never put in: {sorted(foreign)[:5]}"
            lost |= missing
            doubled |= twice
        assert not doubled, f"doubled: {sorted(doubled)[:5]}"
        allowed = self.counted("pops_unknown") + self.extra_lost
        assert len(lost) <= allowed, f"{len(lost)} elements lost, {allowed} pops unknown: {sorted(lost)[:5]}"

    def check_messages(self):
        """Without a fault on the way no message is lost."""
        subscriber, publisher = self.pair
        eventually(lambda: set(publisher.counted) <= set(subscriber.received), 5)

    def check_tasks(self, links_lost):
        """Kombu itself loses the message it has popped and not noted yet when its connection ends."""

        wanted = set(self.tasks.acknowledged)

        def all_ran():
            if links_lost:
                self.tasks.revive_worker()
            return len(wanted - set(self.tasks.runs())) <= links_lost

        try:
            eventually(all_ran, 40, 0.1)
        except AssertionError:
            missing = wanted - set(self.tasks.runs())
            waiting = self.site.redis.command("LLEN", "default", db=2)
            taken = self.site.redis.command("HLEN", "unacked", db=2)
            text = f"{len(missing)} of {len(wanted)} tasks never ran, {links_lost} may be lost by kombu"
            raise AssertionError(f"{text}; {waiting} are queued, {taken} unacknowledged") from None
