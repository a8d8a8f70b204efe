"""Lists and sorted sets as queues: what was put in comes out once, whatever happened in between."""

import collections
import threading

from faults.load.actor import Outcome, RedisActor


class Ledger:
    """What is known of the elements of one queue."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged, self.unknown = set(), set()
        self.received = []

    def put(self, element, outcome):
        with self.lock:
            if outcome is Outcome.done:
                self.acknowledged.add(element)
            elif outcome is Outcome.unknown:
                self.unknown.add(element)

    def got(self, element):
        with self.lock:
            self.received.append(element)

    def verdict(self, remaining):
        """(elements that exist twice, elements nobody put in, acknowledged elements that are nowhere)"""
        seen = collections.Counter([*self.received, *remaining])
        doubled = {element for element, count in seen.items() if count > 1}
        foreign = set(seen) - self.acknowledged - self.unknown
        return doubled, foreign, self.acknowledged - set(seen)


class Producer(RedisActor):
    def __init__(self, site, tag, queue, ledger):
        super().__init__(site, tag)
        self.queue, self.ledger = queue, ledger
        self.number = 0

    def step(self):
        self.number += 1
        element = f"{self.tag}-{self.number}"
        outcome, _ = self.attempt(lambda: self.put(element))
        self.ledger.put(element.encode(), outcome)


class Consumer(RedisActor):
    """Goes on until it is stopped and its queue is empty."""

    def __init__(self, site, tag, queue, ledger):
        super().__init__(site, tag)
        self.queue, self.ledger = queue, ledger
        self.found_nothing = False
        self.patience = 1

    def step(self):
        outcome, popped = self.attempt(self.pop)
        self.found_nothing = outcome is Outcome.done and popped is None
        if popped:
            self.expect(popped[0] == self.queue.encode(), f"popped from {popped[0]}")
            self.ledger.got(popped[1])

    def finish(self):
        """After the producers have ended: takes the rest. May end without, when Redis does not answer."""
        self.patience = 0.1
        for _ in range(2_000):
            self.step()
            if self.found_nothing:
                return


class ListProducer(Producer):
    db = 2

    def put(self, element):
        return self.client.lpush(self.queue, element)


class ListConsumer(Consumer):
    db = 2

    def pop(self):
        return self.client.brpop([self.queue, f"{self.queue}\x06\x163"], timeout=self.patience)


class SetProducer(Producer):
    """The command shape of a channel layer's send."""

    db = 1

    def put(self, element):
        with self.client.pipeline(transaction=False) as pipe:
            pipe.zremrangebyscore(f"{self.queue}:other", 0, 1)
            pipe.zadd(self.queue, {element: self.number})
            pipe.expire(self.queue, 600)
            return pipe.execute()


class SetConsumer(Consumer):
    db = 1

    def pop(self):
        return self.client.bzpopmin(self.queue, timeout=self.patience)
