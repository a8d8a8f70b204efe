"""The files of a work tree, as the rules see them."""

import functools
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

CPP = (".cpp", ".hpp")


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.message}" if self.line else f"{self.path}: {self.message}"


class Project:
    def __init__(self, root):
        self.root = Path(root).resolve()

    @functools.cached_property
    def files(self):
        """Paths of what git tracks or would add; without git, everything but build/."""
        command = ["git", "-C", str(self.root), "ls-files", "-co", "--exclude-standard", "-z"]
        try:
            output = subprocess.run(command, capture_output=True, check=True, text=True).stdout
            names = set(output.split("\0")) - {""}
        except (OSError, subprocess.CalledProcessError):
            names = set(self.walk())
        return sorted(name for name in names if (self.root / name).is_file())

    def walk(self):
        for folder, subfolders, names in os.walk(self.root):
            relative = Path(folder).relative_to(self.root)
            subfolders[:] = [each for each in subfolders if each not in (".git", "build", "__pycache__")]
            yield from ((relative / name).as_posix() for name in names)

    def named(self, *suffixes, under=()):
        """Files with one of the suffixes, in one of the folders where some are given."""
        folders = tuple(f"{folder}/" for folder in under)
        return [
            name
            for name in self.files
            if name.endswith(suffixes) and (not folders or name.startswith(folders))
        ]

    def text(self, name):
        return (self.root / name).read_text(encoding="utf-8", errors="replace")

    def lines(self, name):
        """(number, text) of each line."""
        return enumerate(self.text(name).splitlines(), start=1)

    def is_script(self, name):
        with (self.root / name).open("rb") as stream:
            return stream.read(2) == b"#!"
