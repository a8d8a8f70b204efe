"""Which tasks ran, as the tasks themselves wrote it down."""

import collections

from support import eventually


class Journal:
    def __init__(self, path):
        self.path = path
        path.touch()

    def runs(self, prefix=""):
        return [line for line in self.path.read_text().splitlines() if line.startswith(prefix)]

    def counts(self, prefix=""):
        return collections.Counter(self.runs(prefix))

    def wait_for(self, labels, seconds=30):
        """Until each label ran at least once; names what is missing otherwise."""
        wanted = set(labels)
        missing = set(wanted)

        def complete():
            missing.clear()
            missing.update(wanted - set(self.runs()))
            return not missing

        try:
            eventually(complete, seconds, 0.05)
        except AssertionError:
            some = ", ".join(sorted(missing)[:5])
            raise AssertionError(f"{len(missing)} of {len(wanted)} did not run, such as {some}") from None
