"""clang-tidy over sources, of which those are passed over that were clean before and have not changed since.

    python3 tests/tidy/lint_sources.py FOLDER_OF_COMPILE_COMMANDS SOURCE...

What a source's outcome depends on is its text, the texts of the project's headers that it reaches, its flags,
the rules, and the versions of clang-tidy and of the libraries' packages: their hash names an empty file in
the cache folder when nothing was found. Prints what was found, ends with 1 if anything was.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

CLANG_TIDY = "clang-tidy-14"
PACKAGES = [
    "clang-tidy-14",
    "libstdc++-12-dev",
    "libboost1.81-dev",
    "libspdlog-dev",
    "libhiredis-dev",
    "libssl-dev",
]
ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sidecar-lint"
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
# What the analyzer believes to see inside a library's own header is not ours to mend.
FOREIGN = re.compile(r"^/usr/.*\[clang-analyzer-")
FINDING = re.compile(r"(error|warning): ")


@cache
def texts_of(source):
    """Of a file and the project's headers that it includes: path and text."""
    text = source.read_text()
    own = {source: text}
    for name in INCLUDE.findall(text):
        for header in (ROOT / name, source.parent / name):
            if header.is_file():
                own |= texts_of(header)
                break
    return own


@cache
def surroundings():
    versions = subprocess.run(["dpkg-query", "-W", *PACKAGES], capture_output=True, text=True).stdout
    return versions + (ROOT / ".clang-tidy").read_text()


def key_of(entry):
    digest = hashlib.sha256()
    command = entry["command"].replace(str(ROOT), "")
    texts = texts_of(Path(entry["file"]))
    parts = [surroundings(), command]
    for path in sorted(texts):
        parts += [str(path.relative_to(ROOT)), texts[path]]
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()


def findings_of(database, source):
    result = subprocess.run([CLANG_TIDY, "-p", database, "--quiet", source], capture_output=True, text=True)
    lines = [line for line in result.stdout.splitlines() if FINDING.search(line)]
    if result.returncode != 0 and not lines:
        lines = [f"{source}: error: {CLANG_TIDY} failed: {result.stderr[-2000:]}"]
    return [line for line in lines if not FOREIGN.match(line)]


def main(database, *sources):
    wanted = {str(Path(source).resolve()) for source in sources}
    entries = json.loads((Path(database) / "compile_commands.json").read_text())
    entries = [entry for entry in entries if entry["file"] in wanted]
    CACHE.mkdir(parents=True, exist_ok=True)
    marks = {entry["file"]: CACHE / key_of(entry) for entry in entries}
    due = [source for source, mark in marks.items() if not mark.exists()]
    found = set()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, lines in zip(due, pool.map(lambda each: findings_of(database, each), due), strict=True):
            found.update(lines)
            if not lines:
                marks[source].touch()
    print("\n".join(sorted(found)).replace(f"{ROOT}/", ""), flush=True)
    print(
        f"{len(due)} of {len(entries)} sources looked at, the others are as they were when nothing was found"
    )
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
