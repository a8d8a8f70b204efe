"""In which settings conversations are held."""

import dataclasses
import enum

PASSWORD = "a password"


class Clients(enum.Enum):
    PLAIN = "plain"
    TLS = "tls"  # and TLS towards Redis


@dataclasses.dataclass(frozen=True)
class User:
    name: str
    password: str
    dbs: tuple = ()  # all when empty
    readonly: bool = False


@dataclasses.dataclass(frozen=True)
class Servers:
    """What a pair of servers is made with."""

    flags: tuple
    password: str | None = None
    users: tuple = ()
    clients: Clients = Clients.PLAIN


@dataclasses.dataclass(frozen=True)
class Mode:
    name: str
    servers: Servers
    protocol: int = 2


def flags(policy, threads, *others):
    return ("--policy", policy, "--threads", str(threads), *others)


MODES = (
    Mode("resp2-open", Servers(flags("open", 1)), 2),
    Mode("resp3-open", Servers(flags("open", 1)), 3),
    Mode("resp3-open-4threads", Servers(flags("open", 4)), 3),
    Mode("resp2-strict-4threads", Servers(flags("strict", 4)), 2),
)

DEFAULT = User("default", PASSWORD)
USERS = (
    User("everything", "every secret"),
    User("first-two", "two secrets", dbs=(0, 1)),
    User("reader", "reader's secret", readonly=True),
)


@dataclasses.dataclass(frozen=True)
class World:
    """What random conversations may do in a mode; see `generate`. weight: its part of all conversations."""

    mode: Mode
    weight: int
    dbs: int = 3
    users: tuple = ()  # who can log in; nobody has to when empty
    crossing: bool = False  # MOVE, SWAPDB, COPY DB, FLUSHALL, CONFIG
    restarts: bool = False


def worlds():
    yield World(Mode("open", Servers(flags("open", 1))), 22, dbs=4)
    yield World(Mode("threads", Servers(flags("open", 4))), 22, dbs=4)
    yield World(Mode("strict", Servers(flags("strict", 2))), 14)
    yield World(Mode("sixteen", Servers(flags("open", 2))), 14, dbs=16, crossing=True)
    yield World(Mode("password", Servers(flags("strict", 2), PASSWORD)), 8, users=(DEFAULT,))
    yield World(Mode("users", Servers(flags("strict", 2), PASSWORD, USERS)), 8, users=(DEFAULT, *USERS))
    yield World(Mode("tls", Servers(flags("strict", 2), clients=Clients.TLS)), 6)
    yield World(Mode("restarts", Servers(flags("strict", 4, "--hold", "8s"))), 6, restarts=True)


WORLDS = {world.mode.name: world for world in worlds()}


def shares(total):
    """How many of so many conversations each world gets: {name: count}"""
    weight = sum(world.weight for world in WORLDS.values())
    return {name: -(-total * world.weight // weight) for name, world in WORLDS.items()}


def modes_for(options):
    for mode in MODES:
        if "strict" in mode.servers.flags and "strict" not in options:
            continue
        if {"resp2": 3, "resp3": 2}.get(next(iter(options & {"resp2", "resp3"}), "")) == mode.protocol:
            continue
        yield mode
