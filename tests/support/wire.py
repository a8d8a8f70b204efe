"""A client that sends exactly the bytes it is told to and gives back exactly the frames it received."""

import select
import socket
import ssl
import time

from support.polling import slack
from support.resp import Incomplete, decode, encode, frame_end

CHUNK = 1 << 18
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
MESSAGES = (b"message", b"pmessage", b"smessage", b"invalidate")


class Closed(Exception):
    """The server closed the connection."""


class TimedOut(AssertionError):
    """No answer within the deadline."""


class RawClient:
    """address: (host, port), or the path of a unix socket. tls: an ssl.SSLContext."""

    def __init__(self, address, tls=None, timeout=10.0, receive_buffer=None):
        self.timeout = slack(timeout)
        self.closed = False  # by the server
        self.pushes = []  # frames of RESP3 messages that read_reply() stepped over
        self._buffer = bytearray()
        self._need = 1
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        if family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.socket.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with a TCP reset instead of an orderly end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    # Sending. Replies are read meanwhile, because a server may stop reading a client that does not.

    def send(self, data, read_meanwhile=True):
        deadline = time.monotonic() + max(self.timeout, len(data) / 2e6)
        view = memoryview(data)
        while view and not self.closed:
            if time.monotonic() > deadline:
                raise TimedOut(f"{len(view)} bytes not taken by the server")
            events = poll(self.socket, select.POLLOUT | (select.POLLIN if read_meanwhile else 0), 0.5)
            if events & ~select.POLLOUT:
                self._receive()
            if events & select.POLLOUT and not self.closed:
                try:
                    view = view[self.socket.send(view[:CHUNK]) :]
                except WOULD_BLOCK:
                    continue
                except (BrokenPipeError, ConnectionResetError):
                    self._drain_after_reset()

    def send_command(self, *args):
        self.send(encode(*args))

    # Receiving.

    def _receive(self):
        try:
            data = self.socket.recv(CHUNK)
        except WOULD_BLOCK:
            return
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            data = b""
        if not data:
            self.closed = True
        self._buffer += data

    def _drain_after_reset(self):
        while not self.closed and self.wait_readable(1):
            self._receive()
        self.closed = True

    def _take_frame(self):
        if len(self._buffer) < self._need:
            return None
        try:
            end = frame_end(self._buffer)
        except Incomplete as incomplete:
            self._need = incomplete.need
            return None
        frame = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._need = 1
        return frame

    def available(self):
        """All complete frames that have arrived, without waiting."""
        while not self.closed and self.wait_readable(0):
            self._receive()
        frames = []
        while (frame := self._take_frame()) is not None:
            frames.append(frame)
        return frames

    @property
    def partial(self):
        """Bytes of a frame that is not complete yet."""
        return bytes(self._buffer)

    def wait_readable(self, seconds):
        if getattr(self.socket, "pending", None) and self.socket.pending():
            return True
        return bool(poll(self.socket, select.POLLIN, seconds))

    def read_frame(self, timeout=None):
        """The next frame, exactly as it came. Raises Closed or TimedOut."""
        deadline = time.monotonic() + (self.timeout if timeout is None else slack(timeout))
        while True:
            frame = self._take_frame()
            if frame is not None:
                return frame
            if self.closed:
                raise Closed(f"left in the buffer: {bytes(self._buffer[:200])!r}")
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut(f"no frame in time; in the buffer: {bytes(self._buffer[:200])!r}")
            if self.wait_readable(left):
                self._receive()

    def read_frames(self, count, timeout=None):
        return [self.read_frame(timeout) for _ in range(count)]

    def read_reply(self, timeout=None):
        """The next frame that is not a RESP3 message; those go to `pushes`."""
        while is_message_push(frame := self.read_frame(timeout)):
            self.pushes.append(frame)
        return frame

    def read(self, timeout=None):
        return decode(self.read_reply(timeout))

    def command(self, *args, timeout=None):
        """Sends one command and returns its reply as a Python value."""
        self.send_command(*args)
        return self.read(timeout)

    def pipeline(self, *commands, timeout=None):
        self.send(b"".join(encode(*command) for command in commands))
        return [self.read(timeout) for _ in commands]

    def wait_closed(self, timeout=None):
        """Reads until the server closes; returns the frames that came before."""
        deadline = time.monotonic() + (self.timeout if timeout is None else slack(timeout))
        frames = []
        while True:
            frames += self.available()
            if self.closed:
                return frames
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut(f"still open; frames received: {frames[:5]!r}")
            self.wait_readable(left)


def poll(waited_for, events, seconds):
    """The events that happened; unlike select(), for any number of open files."""
    poller = select.poll()
    poller.register(waited_for, events)
    ready = poller.poll(max(seconds, 0) * 1000)
    return ready[0][1] if ready else 0


def is_message_push(frame):
    if frame[:1] != b">":
        return False
    kind = frame.split(b"\r\n", 3)[2]
    return kind in MESSAGES
