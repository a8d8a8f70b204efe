"""A proxy that falsifies replies once a client has said something: for testing the tests."""

import contextlib
import socket
import threading


class Liar:
    """After a client has sent all of `triggers`, in any order, `old` becomes `new` in what it is answered.

    Bytes that come in two reads may escape: the lies of the tests are short.
    """

    def __init__(self, address, triggers, old, new):
        self.target, self.triggers, self.old, self.new = address, triggers, old, new
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.sockets = [self.listener]
        self.threads = []
        self._start(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(5)
        for each in self.sockets:
            each.close()

    @property
    def address(self):
        return self.listener.getsockname()

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.target)
            self.sockets += [client, server]
            said = bytearray()
            self._start(self._pump, client, server, lambda data, said=said: self._listen(said, data))
            self._start(self._pump, server, client, lambda data, said=said: self._answer(said, data))

    def _listen(self, said, data):
        said += data.upper()
        return data

    def _answer(self, said, data):
        lying = all(word in said for word in self.triggers)
        return data.replace(self.old, self.new) if lying else data

    @staticmethod
    def _pump(source, sink, changed):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(changed(data))
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
