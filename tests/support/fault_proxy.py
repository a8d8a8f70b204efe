"""A link that fails on request: it stands between the sidecar and Redis, passes bytes, and cuts after exactly
so many of them, stalls, delays, resets, half-closes or refuses.

Everything is done by one thread of its own; what tests call waits until that thread has done it.
"""

import contextlib
import queue
import selectors
import socket
import threading
import time

from support.fault_link import Cut, Ending, Link, Stream, Towards

CHUNK = 1 << 16
BUFFERED_MAX = 1 << 20  # then the source is not read
HEALTH_CHECKS = (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n")  # come at any time and are not counted


class FaultProxy:
    """upstream: (host, port), or the path of a unix socket."""

    def __init__(self, upstream):
        self.upstream = upstream
        self.accepted = 0
        self.cuts = 0
        self.passed = dict.fromkeys(Towards, 0)
        self._delay = dict.fromkeys(Towards, 0.0)
        self._stalled = set()
        self._armed = None
        self._links = {}  # socket -> Link
        self._selector = selectors.DefaultSelector()
        self._requests = queue.SimpleQueue()
        self._bell, self._ear = socket.socketpair()
        self._ear.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._listener = None
        self._port = 0
        self._listen()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self._port}"

    # What tests ask for.

    def cut_after(self, count, towards, how=Ending.close, every_link=False):
        """Cuts after exactly `count` bytes from now on (0: instead of the first); `done` tells when."""
        cut = Cut(count, towards, how, every_link)
        self._ask(lambda: setattr(self, "_armed", cut))
        return cut

    def disarm(self):
        self._ask(lambda: setattr(self, "_armed", None))

    def cut_all(self, how=Ending.close):
        self._ask(lambda: self._sever_all(how))

    def stall(self, towards):
        """Nothing is passed on until flow()."""
        self._ask(lambda: self._stalled.add(towards))

    def flow(self, towards):
        self._ask(lambda: self._stalled.discard(towards))

    def delay(self, seconds, towards):
        self._ask(lambda: self._delay.update({towards: seconds}))

    def refuse(self):
        """Nobody listens any more; links that exist stay."""
        self._ask(self._close_listener)

    def accept(self):
        self._ask(self._listen)

    @property
    def open_links(self):
        return self._ask(lambda: sum(not link.severed for link in self._each_link()))

    @property
    def settled(self):
        """Redis has executed what it was sent over links that were cut."""
        return self._ask(lambda: not any(link.severed for link in self._each_link()))

    def close(self):
        self._stopping = True
        self._bell.send(b"!")
        self._thread.join(10)
        self._bell.close()

    def _ask(self, work):
        answer = queue.SimpleQueue()
        self._requests.put((work, answer))
        self._bell.send(b"!")
        return answer.get(timeout=10)

    # Its thread.

    def _run(self):
        while not self._stopping:
            for key, events in self._selector.select(self._seconds_until_due()):
                if key.fileobj is self._ear:
                    self._answer_requests()
                elif key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj in self._links and events & selectors.EVENT_READ:
                    self._read(self._links[key.fileobj], key.fileobj)
            for link in self._each_link():
                for stream in link.streams:
                    self._deliver(link, stream)
            self._watch_all()
        for link in self._each_link():
            self._end(link)
        self._close_listener()
        self._selector.close()
        self._ear.close()

    def _each_link(self):
        return list({id(link): link for link in self._links.values()}.values())

    def _answer_requests(self):
        with contextlib.suppress(BlockingIOError):
            self._ear.recv(CHUNK)
        while not self._requests.empty():
            work, answer = self._requests.get()
            answer.put(work())

    def _listen(self):
        if self._listener:
            return
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        self._listener.listen(512)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def _close_listener(self):
        if self._listener:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self):
        try:
            sidecar, _ = self._listener.accept()
        except BlockingIOError:
            return
        redis = socket.socket(socket.AF_UNIX if isinstance(self.upstream, str) else socket.AF_INET)
        try:
            redis.connect(self.upstream)
        except OSError:
            redis.close()
            sidecar.close()
            return
        self.accepted += 1
        link = Link(sidecar, redis)
        self._links |= {sidecar: link, redis: link}

    def _read(self, link, source):
        stream = link.stream_from(source)
        try:
            data = source.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            if not link.severed:  # otherwise Redis's last words: for nobody
                stream.add(time.monotonic() + self._delay[stream.towards], data)
            return
        stream.ended = True
        if link.severed:
            self._end(link)

    def _deliver(self, link: Link, stream: Stream):
        while stream.waiting and stream.towards not in self._stalled and not link.severed:
            due, data = stream.waiting[0]
            if due > time.monotonic():
                return None
            counted = data not in HEALTH_CHECKS
            cut = self._armed if counted and self._armed and self._armed.towards is stream.towards else None
            allowed = data[: cut.left] if cut else data
            try:
                sent = stream.target.send(allowed) if allowed else 0
            except BlockingIOError:
                return None
            except OSError:
                return self._end(link)
            stream.taken(sent)
            if counted:
                self.passed[stream.towards] += sent
            if cut:
                cut.left -= sent
                if cut.left == 0:
                    return self._carry_out(cut, link)
        if stream.ended and not stream.waiting and not link.severed:
            self._end(link)
        return None

    def _carry_out(self, cut, link):
        self._armed = None
        if cut.every_link:
            self._sever_all(cut.how)
        else:
            self._sever(link, cut.how)
        cut.done.set()

    def _sever_all(self, how):
        for link in self._each_link():
            self._sever(link, how)

    def _sever(self, link, how):
        if link.severed or link.redis not in self._links:
            return
        self.cuts += 1
        if how is not Ending.half:
            self._forget(link.sidecar)
        link.sever(how)

    def _end(self, link):
        for each in (link.sidecar, link.redis):
            self._forget(each)
            each.close()

    def _forget(self, each):
        self._links.pop(each, None)
        if each.fileno() >= 0 and each in self._selector.get_map():
            self._selector.unregister(each)

    def _watch_all(self):
        """Whoever may send is read; whoever did not take all is waited for."""
        for each, link in self._links.items():
            incoming, outgoing = link.stream_from(each), link.stream_into(each)
            full = incoming.buffered > BUFFERED_MAX
            events = 0 if incoming.ended or (full and not link.severed) else selectors.EVENT_READ
            due = outgoing.waiting and outgoing.waiting[0][0] <= time.monotonic()
            if due and outgoing.towards not in self._stalled and not link.severed:
                events |= selectors.EVENT_WRITE
            self._watch(each, events)

    def _watch(self, each, events):
        known = self._selector.get_map().get(each)
        if known is None and events:
            self._selector.register(each, events)
        elif known is not None and not events:
            self._selector.unregister(each)
        elif known is not None and known.events != events:
            self._selector.modify(each, events)

    def _seconds_until_due(self):
        times = [
            stream.waiting[0][0]
            for link in self._each_link()
            for stream in link.streams
            if stream.waiting and stream.towards not in self._stalled and self._delay[stream.towards]
        ]
        return max(0.0, min(times) - time.monotonic()) if times else None
