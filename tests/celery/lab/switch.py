"""A TCP switch in front of several sidecars, as a balancer stands there: connections go to them in turn."""

import contextlib
import select
import socket
import threading


class Switch:
    """targets: (host, port) of each. `cut(number)` ends that one's connections and sends it no more."""

    def __init__(self, *targets):
        self.targets = list(targets)
        self.off = set()
        self.links = {number: [] for number in range(len(targets))}
        self._turn = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()
        for number in range(len(self.targets)):
            self.cut(number)

    def open(self, number):
        with self._lock:
            return len(self.links[number])

    def cut(self, number):
        with self._lock:
            self.off.add(number)
            for pair in self.links[number]:
                for end in pair:
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with self._lock:
                    able = [number for number in range(len(self.targets)) if number not in self.off]
                    number = able[self._turn % len(able)] if able else None
                    self._turn += 1
                if number is None:
                    client.close()
                    continue
                pair = (client, socket.create_connection(self.targets[number]))
                with self._lock:
                    self.links[number].append(pair)
                threading.Thread(target=self._pump, args=(number, pair), daemon=True).start()

    def _pump(self, number, pair):
        other = {pair[0]: pair[1], pair[1]: pair[0]}
        with contextlib.suppress(OSError):
            while True:
                for end in select.select(pair, [], [])[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        raise OSError
                    other[end].sendall(data)
        with self._lock:
            self.links[number].remove(pair)
        for end in pair:
            end.close()
