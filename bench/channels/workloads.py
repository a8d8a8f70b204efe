"""What is run, and with whom. Each workload is one call of `sidecar-bench fanout`, in which its contenders
have their turn one after the other."""

from dataclasses import dataclass

MEMBERS = 1000


@dataclass(frozen=True)
class Contender:
    kind: str  # of sidecar-bench fanout
    server: str  # "redis" or "sidecar"
    native: bool = False  # needs the commands CH.*


CONTENDERS = {
    "direct": Contender("pubsub", "redis"),
    "sidecar": Contender("pubsub", "sidecar"),
    "core": Contender("core", "redis"),
    "layer": Contender("layer", "redis"),
    "bare": Contender("bare", "redis"),  # the floor: asyncio without any layer; concerns no server
    "package": Contender("package", "sidecar", native=True),
    "native": Contender("native", "sidecar", native=True),
}


@dataclass(frozen=True)
class Workload:
    name: str
    words: str
    contenders: tuple
    options: tuple
    seconds: float = 2.0

    def arguments(self, divisor):
        return [*self.options, "--seconds", str(self.seconds / divisor)]


def pubsub(name, words, *options, contenders=("direct", "sidecar"), seconds=2.0):
    return Workload(name, words, contenders, ("--payload", "200", *options), seconds)


THOUSAND = ("--members", str(MEMBERS))
ALL = [
    pubsub("single", "single messages to 1,000 connections, at full speed", *THOUSAND, "--saturate", "4"),
    pubsub("burst", "bursts of ten, at full speed", *THOUSAND, "--saturate", "2", "--burst", "10"),
    pubsub("single-paced", "100 messages a second", *THOUSAND, "--rate", "100"),
    pubsub("burst-paced", "50 bursts of ten a second", *THOUSAND, "--rate", "500", "--burst", "10"),
    pubsub(
        "reach-10",
        "Redis, 10 connections subscribed",
        "--members",
        "10",
        "--rate",
        "100",
        contenders=("sidecar",),
        seconds=3,
    ),
    pubsub(
        "reach-1000",
        "Redis, 1,000 connections subscribed",
        *THOUSAND,
        "--rate",
        "100",
        contenders=("sidecar",),
        seconds=3,
    ),
    Workload(
        "group",
        "group_send to 1,000 members in 10 Django processes",
        ("core", "layer", "bare", "package"),
        (*THOUSAND, "--processes", "10", "--payload", "100", "--rate", "3"),
        5,
    ),
    Workload(
        "bytes-10",
        "10 members in one process",
        ("native",),
        ("--members", "10", "--processes", "1", "--payload", "100", "--rate", "50"),
    ),
    Workload(
        "bytes-10000",
        "10,000 members in one process",
        ("native",),
        ("--members", "10000", "--processes", "1", "--payload", "100", "--rate", "50"),
    ),
]


def chosen(only):
    if not only:
        return ALL
    found = [each for each in ALL if each.name.startswith(tuple(only))]
    if not found:
        raise SystemExit(f"no workload is named {' or '.join(only)}: --list names them")
    return found
