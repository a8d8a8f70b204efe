"""The keys in Redis before a run, and how many of them a run found."""

import socket

COUNT = 2000


def encode(*words):
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def empty(port):
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(encode("FLUSHALL"))
        if not connection.makefile("rb").readline().startswith(b"+OK"):
            raise SystemExit("redis was not emptied")


def fill(port, size):
    """Every key that redis-benchmark may ask for, of the size that it would set."""
    value = b"x" * size
    commands = [encode("FLUSHALL"), *(encode("SET", f"key:{key:012d}", value) for key in range(COUNT))]
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        stream = connection.makefile("rb")
        for begin in range(0, len(commands), 100):
            batch = commands[begin : begin + 100]
            connection.sendall(b"".join(batch))
            for _ in batch:
                if not stream.readline().startswith(b"+OK"):
                    raise SystemExit("redis did not take the keys")


def hits_and_misses(port):
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        stream = connection.makefile("rb")
        connection.sendall(encode("INFO", "stats"))
        text = stream.read(int(stream.readline()[1:])).decode()
    values = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(values["keyspace_hits"]), int(values["keyspace_misses"])
