"""Medians, paired ratios, and what the ratios must be."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Requirement:
    figure: str  # a key of the records
    bound: str  # "<=" or ">="
    factor: float
    other: str  # a contender, or another workload of the same one

    def holds(self, ratio):
        return ratio <= self.factor if self.bound == "<=" else ratio >= self.factor

    def __str__(self):
        return f"{self.bound} {self.factor:.2f} x {self.other}"


def at_most(figure, factor, other):
    return Requirement(figure, "<=", factor, other)


def at_least(figure, factor, other):
    return Requirement(figure, ">=", factor, other)


TAIL = at_most("p99_us", 1.0, "nutcracker")
REQUIRED = {
    "c50": [
        at_most("proxy_cpu_us", 0.85, "nutcracker"),
        at_most("proxy_cpu_us", 0.60, "haproxy"),
        at_most("proxy_cpu_us", 1.25, "floor"),
        at_least("rps", 1.0, "nutcracker"),
        at_least("rps", 0.9, "direct"),
        at_most("redis_cpu_us", 0.40, "direct"),
        TAIL,
    ],
    "c500": [
        at_most("proxy_cpu_us", 0.75, "nutcracker"),
        at_least("rps", 1.0, "nutcracker"),
        at_most("redis_cpu_us", 0.40, "direct"),
        TAIL,
    ],
    "P16": [
        at_most("proxy_cpu_us", 0.25, "nutcracker"),
        at_most("proxy_cpu_us", 0.75, "haproxy"),
        at_most("proxy_cpu_us", 1.5, "floor"),
        at_least("rps", 0.8, "direct"),
        at_least("rps", 2.0, "nutcracker"),
        at_most("redis_cpu_us", 1.1, "direct"),
        TAIL,
    ],
    "4k": [
        at_most("proxy_cpu_us", 0.80, "nutcracker"),
        at_most("proxy_cpu_us", 0.65, "haproxy"),
        at_least("rps", 1.0, "nutcracker"),
        at_most("redis_cpu_us", 0.5, "direct"),
        TAIL,
    ],
    "transactions": [at_most("batch_cpu_us", 1.3, "untransacted")],
}


@dataclass(frozen=True)
class Spread:
    median: float
    low: float  # quartiles
    high: float
    count: int

    @staticmethod
    def of(values):
        if len(values) < 2:
            return Spread(values[0], values[0], values[0], 1)
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return Spread(median, low, high, len(values))


class Records:
    def __init__(self, records):
        self.by = {(each["workload"], each["contender"], each["round"]): each for each in records}
        self.workloads = list(dict.fromkeys(each["workload"] for each in records))
        self.contenders = list(dict.fromkeys(each["contender"] for each in records))
        self.rounds = sorted({each["round"] for each in records})

    def values(self, workload, contender, figure):
        cells = (self.by.get((workload, contender, number)) for number in self.rounds)
        return [cell[figure] for cell in cells if cell is not None and figure in cell]

    def median(self, workload, contender, figure):
        values = self.values(workload, contender, figure)
        return statistics.median(values) if values else None

    def best(self, workload, contender, figure):
        """Of the round that was disturbed least, for figures that disturbance makes larger."""
        return min(self.values(workload, contender, figure), default=None)

    def ratio(self, workload, figure, mine, other):
        """Of figures taken in the same round; None where one of the two was not run."""
        pairs = []
        beside = (other, mine) if other in self.workloads else (workload, other)
        for number in self.rounds:
            cells = self.by.get((workload, mine, number)), self.by.get((*beside, number))
            if all(cell is not None and figure in cell for cell in cells):
                pairs.append(cells[0][figure] / cells[1][figure])
        return Spread.of(pairs) if pairs else None


@dataclass(frozen=True)
class Verdict:
    workload: str
    subject: str
    requirement: Requirement
    ratio: Spread

    @property
    def holds(self):
        return self.requirement.holds(self.ratio.median)


def verdicts(records, rows, subject):
    """What is required of `subject` and was measured; `rows` gives each workload's row of REQUIRED."""
    for workload in records.workloads:
        for requirement in REQUIRED.get(rows[workload], ()):
            ratio = records.ratio(workload, requirement.figure, subject, requirement.other)
            if ratio is not None:
                yield Verdict(workload, subject, requirement, ratio)
