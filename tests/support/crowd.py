"""Thousands of clients held by one process: plain sockets on one epoll set, each doing its steps in turn.

A step is some bytes to send and the number of lines its whole answer has; values hold no line ends.
"""

import dataclasses
import resource
import select
import socket
import time

from support.resp import encode

DESCRIPTORS_SPARE = 200


@dataclasses.dataclass(frozen=True)
class Step:
    request: bytes
    lines: int


def step(lines, *commands):
    return Step(b"".join(encode(*command) for command in commands), lines)


def greeting(number):
    """What a client library says first; the clients are spread over dbs 0 to 2 and both protocols."""
    steps = [
        step(1, ("CLIENT", "SETINFO", "LIB-NAME", "redis-py"), ("CLIENT", "SETNAME", f"worker-{number}"))
    ]
    steps[0] = dataclasses.replace(steps[0], lines=2)
    if number % 2:
        steps.append(step(HELLO_LINES, ("HELLO", 3)))
    if number % 3:
        steps.append(step(1, ("SELECT", number % 3)))
    return steps


HELLO_LINES = 26


def everyday(number):
    """A few commands of the usual kinds."""
    key = f"key:{number}"
    return [
        step(1, ("SET", key, "x" * 50, "EX", 600)),
        step(2, ("GET", key)),
        step(5, ("SET", key, 1), ("INCR", key), ("GET", key), ("PING",)),
        step(6, ("MULTI",), ("SET", key, "y"), ("INCRBY", f"{key}:n", 2), ("EXEC",)),
    ]


class Member:
    __slots__ = ("answered", "lines", "number", "socket", "steps")

    def __init__(self, number, connection):
        self.number = number
        self.socket = connection
        self.steps = iter(())
        self.lines = 0
        self.answered = 0


class Crowd:
    def __init__(self, address, tls=None):
        self.address = address
        self.tls = tls
        self.members = []
        self.poller = select.epoll()
        self.of_descriptor = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for member in self.members:
            member.socket.close()
        self.members.clear()
        self.poller.close()

    def join(self, count):
        raise_descriptor_limit(count)
        for number in range(len(self.members), len(self.members) + count):
            connection = socket.create_connection(self.address, timeout=30)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_hostname="localhost")
            member = Member(number, connection)
            self.members.append(member)
            self.of_descriptor[connection.fileno()] = member
            self.poller.register(connection.fileno(), select.EPOLLIN)

    def do(self, steps_of, seconds=120):
        """Every member does steps_of(number), all at the same time; returns when the last is answered."""
        return self._run(steps_of, time.monotonic() + seconds, limit_is_failure=True)

    def keep_doing(self, steps_of, seconds, meanwhile=lambda: None):
        """steps_of(number) never ends; returns the number of steps answered within the time."""
        return self._run(steps_of, time.monotonic() + seconds, meanwhile=meanwhile)

    def _run(self, steps_of, deadline, limit_is_failure=False, meanwhile=lambda: None):
        answered = 0
        for member in self.members:
            member.steps = iter(steps_of(member.number))
        busy = sum(self._next(member) for member in self.members)
        next_look = time.monotonic() + 1
        while busy:
            now = time.monotonic()
            if now > deadline:
                break
            if now > next_look:
                meanwhile()
                next_look = now + 1
            for descriptor, _ in self.poller.poll(0.5, 512):
                member = self.of_descriptor[descriptor]
                if self._receive(member):
                    answered += 1
                    busy -= not self._next(member)
        if limit_is_failure:
            assert not busy, f"{busy} of {len(self.members)} clients are not answered"
        else:
            self._settle(deadline + 30)
        return answered

    def _settle(self, deadline):
        """Reads what is still owed, so that the next run starts with nobody waiting."""
        while any(member.lines > 0 for member in self.members):
            assert time.monotonic() < deadline, "clients are not answered"
            for descriptor, _ in self.poller.poll(0.5, 512):
                self._receive(self.of_descriptor[descriptor])

    def _next(self, member):
        """Sends the member's next step; False when it has none."""
        todo = next(member.steps, None)
        if todo is None:
            return False
        member.lines += todo.lines
        member.socket.sendall(todo.request)
        return True

    def _receive(self, member):
        """True when the step is answered."""
        data = member.socket.recv(1 << 18)
        while getattr(member.socket, "pending", int)():
            data += member.socket.recv(1 << 18)
        assert data, f"client {member.number} was closed"
        assert b"-" not in data[:1], data[:200]
        member.lines -= data.count(b"\n")
        assert member.lines >= 0, data[-200:]
        return member.lines == 0


def raise_descriptor_limit(count):
    """For this process and its children; fails where the hard limit is too low for so many sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + DESCRIPTORS_SPARE
    assert hard == resource.RLIM_INFINITY or hard >= wanted, f"{wanted} descriptors needed, {hard} allowed"
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
