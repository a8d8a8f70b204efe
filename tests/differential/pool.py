"""The data commands that random conversations pick from: all with one right answer.

Left out is what depends on a server's random seed (order of large hash tables, random picks), on the clock
(TTL, idle times, ids made by XADD *), or says how Redis stores things.

Words in braces of pool.txt are filled in by `Filler`: {k} a key of the row's kind, {k2} another, {w} a key of
any kind, {v} a value, {s} a short one, {i} a small number, {f} {m} a field, a member, {id} a stream id that
grows.
"""

import pathlib
import re

WORD = re.compile(r'"([^"]*)"|(\S+)')
BLANK = re.compile(r"\{(k2|k|w|v|s|id|i|f|m)\}")


def table(text):
    """{(kind, "reads" or "writes"): the commands, as lists of words}"""
    found, rows = {}, None
    for line in text.splitlines():
        if line.startswith("=="):
            rows = found[tuple(line[2:].split())] = []
        elif line and not line.startswith("#"):
            rows.append([quoted or bare for quoted, bare in WORD.findall(line)])
    return found


TABLE = table(pathlib.Path(__file__).with_name("pool.txt").read_text())
KINDS = tuple(dict.fromkeys(kind for kind, _ in TABLE))
READS, WRITES = (
    [(kind, row) for (kind, does), rows in TABLE.items() if does == wanted for row in rows]
    for wanted in ("reads", "writes")
)


class Filler:
    """Fills blanks. own: the name of the client whose keys are used, nothing for keys that all share."""

    def __init__(self, random):
        self.random = random
        self.serial = 0

    def command(self, rows, own):
        kind, row = self.random.choice(rows)
        key, second, any_key = (self.key(own, which) for which in (kind, kind, self.random.choice(KINDS)))
        if self.random.random() < 0.08:  # most likely of a wrong type
            key = any_key
        self.serial += 1
        blanks = {
            "k": key,
            "k2": second,
            "w": any_key,
            "v": self.value(),
            "s": f"v{self.serial}",
            "i": str(self.serial % 5),
            "f": f"f{self.serial % 3}",
            "m": f"m{self.serial % 4}",
            "id": f"{self.serial}-1",
        }
        return tuple(BLANK.sub(lambda blank: blanks[blank[1]], word) for word in row)

    def key(self, own, kind):
        return f"{kind}{own}{self.random.randint(0, 2)}"

    def value(self):
        self.serial += 1
        return self.random.choice(
            (f"v{self.serial}", str(self.serial), "", "\r\n$3\r\n", "-ERR no", "x" * 70, "x" * 3000)
        )
