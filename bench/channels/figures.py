"""What the figures must be: bounds on ratios of the same round, and on figures themselves."""

from dataclasses import dataclass

from bench.proxy.figures import Spread

FAULTS = "faults"  # of which one in any round is too many
SAME = 1.2  # what counts as independent of the number of receivers


@dataclass(frozen=True)
class Need:
    words: str
    workload: str
    subject: str  # a contender
    figure: str  # a key of the records
    bound: str  # "<=" or ">="
    factor: float
    other: str = ""  # contender or workload that the ratio is to; empty: the figure itself is bounded

    def spread(self, records):
        """None where it was not measured."""
        if self.other:
            return records.ratio(self.workload, self.figure, self.subject, self.other)
        values = records.values(self.workload, self.subject, self.figure)
        if not values:
            return None
        return Spread.of([max(values)] if self.figure == FAULTS else values)

    def holds(self, spread):
        return spread.median <= self.factor if self.bound == "<=" else spread.median >= self.factor

    def __str__(self):
        return f"{self.bound} {self.factor:g}" + (f" x {self.other}" if self.other else "")


NEEDS = [
    Need("CPU a delivery", "single", "sidecar", "server_cpu_us", "<=", 1.0, "direct"),
    Need("CPU a delivery", "single-paced", "sidecar", "server_cpu_us", "<=", 1.0, "direct"),
    Need("CPU a delivery", "burst", "sidecar", "server_cpu_us", "<=", 0.7, "direct"),
    Need("CPU a delivery", "burst-paced", "sidecar", "server_cpu_us", "<=", 0.7, "direct"),
    Need("deliveries/s", "single", "sidecar", "deliveries_per_second", ">=", 1.0, "direct"),
    Need("deliveries/s", "burst", "sidecar", "deliveries_per_second", ">=", 1.3, "direct"),
    Need("Redis CPU a message", "reach-1000", "sidecar", "redis_message_us", "<=", SAME, "reach-10"),
    Need("writes a delivery", "single", "sidecar", "writes_per_delivery", "<=", 1.02),
    Need("writes a delivery", "burst", "sidecar", "writes_per_delivery", "<=", 0.12),
    Need("until the last has it", "group", "package", "last_us", "<=", 0.1, "core"),
    Need("until the last has it", "group", "package", "last_us", "<=", 1.0, "layer"),
    Need("bytes through Redis", "bytes-10000", "native", "redis_bytes", "<=", SAME, "bytes-10"),
    Need("allocations a delivery", "micro", "fan_out", "allocations", "<=", 0.01),
    *(
        Need("lost, doubled, reordered", workload, subject, FAULTS, "<=", 0)
        for workload, subject in (("single", "sidecar"), ("burst", "sidecar"), ("group", "package"))
    ),
]


@dataclass(frozen=True)
class Verdict:
    need: Need
    spread: Spread

    @property
    def holds(self):
        return self.need.holds(self.spread)


def verdicts(records):
    for need in NEEDS:
        spread = need.spread(records)
        if spread is not None:
            yield Verdict(need, spread)
