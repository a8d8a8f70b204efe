"""The parts of the fault proxy: which way bytes go, how a link ends, what is on its way."""

import collections
import contextlib
import enum
import socket
import threading

RESET_ON_CLOSE = b"\1\0\0\0\0\0\0\0"


class Towards(enum.Enum):
    redis = "redis"
    sidecar = "sidecar"


class Ending(enum.Enum):
    close = "close"  # an orderly end
    reset = "reset"  # a TCP reset
    half = "half"  # the sidecar is told that Redis will say no more; its own direction stays open


class Cut:
    """Armed: after `left` more bytes the link that carried the last of them ends, or every link does."""

    def __init__(self, left, towards, how, every_link):
        self.left, self.towards, self.how, self.every_link = left, towards, how, every_link
        self.done = threading.Event()


class Stream:
    """One direction of a link."""

    def __init__(self, towards, source, target):
        self.towards, self.source, self.target = towards, source, target
        self.waiting = collections.deque()  # (due, bytes)
        self.buffered = 0
        self.ended = False  # the source will send no more

    def add(self, due, data):
        self.waiting.append((due, data))
        self.buffered += len(data)

    def taken(self, count):
        due, data = self.waiting.popleft()
        self.buffered -= count
        if count < len(data):
            self.waiting.appendleft((due, data[count:]))


class Link:
    def __init__(self, sidecar, redis):
        self.sidecar, self.redis = sidecar, redis
        self.to_redis = Stream(Towards.redis, sidecar, redis)
        self.to_sidecar = Stream(Towards.sidecar, redis, sidecar)
        self.streams = (self.to_redis, self.to_sidecar)
        self.severed = False  # the sidecar's side is gone; Redis still works on what it was sent
        for each in (sidecar, redis):
            each.setblocking(False)
            if each.family == socket.AF_INET:
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def stream_from(self, source):
        return self.to_redis if source is self.sidecar else self.to_sidecar

    def stream_into(self, target):
        return self.to_sidecar if target is self.sidecar else self.to_redis

    def sever(self, how):
        """Redis gets its end of stream behind what it was sent, and is read until it closes: nothing is still
        to be executed then."""
        if how is Ending.half:
            with contextlib.suppress(OSError):
                self.sidecar.shutdown(socket.SHUT_WR)
            return
        self.severed = True
        if how is Ending.reset:
            self.sidecar.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.sidecar.close()
        with contextlib.suppress(OSError):
            self.redis.shutdown(socket.SHUT_WR)
