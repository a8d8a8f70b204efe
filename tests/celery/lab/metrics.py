"""/metrics as a table: name -> {labels: value}."""

import re

LINE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    def __init__(self, text):
        self.series = {}
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            name, labels, value = LINE.fullmatch(line).groups()
            key = frozenset(LABEL.findall(labels or ""))
            family = self.series.setdefault(name, {})
            assert key not in family, f"twice: {line}"
            family[key] = float(value)

    @classmethod
    def of(cls, sidecar):
        status, body = sidecar.http("/metrics")
        assert status == 200, body
        return cls(body if isinstance(body, str) else body.decode())

    def values(self, name, /, **labels):
        wanted = set(labels.items())
        return [value for key, value in self.series.get(name, {}).items() if wanted <= key]

    def total(self, name, /, **labels):
        """The sum of the series that have these labels; None where there is none."""
        values = self.values(name, **labels)
        return sum(values) if values else None

    def label_values(self, name, label):
        return {dict(key).get(label) for key in self.series.get(name, {})}
