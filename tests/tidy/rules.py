"""The house rules. Each rule is a function from a project to its findings; `rules.py NAME` runs one.

A rule without a check is not a rule: what matters about the form of this project stands here.
"""

import re
import sys
from pathlib import Path

from project import CPP, Finding, Project

INCLUDE = re.compile(r'\s*#\s*include\s*[<"]([^>"]+)[>"]')
OUTER_ROOMS = ("sidecar/net/", "sidecar/http/", "sidecar/cli/")
PURE = ("resp", "channels", "broker", "sidecar/core")
INSIDE = {
    "resp": ("resp",),
    "channels": ("channels", "resp"),
    "broker": ("broker", "resp"),
    "sidecar": ("sidecar", "channels", "broker", "resp"),
}
IMPURE_HEADERS = re.compile(
    r"boost/(asio|beast)|spdlog/|fmt/|hiredis|openssl/ssl\.h|sys/(socket|epoll|un)\.h|netinet/|arpa/"
    r"|^(thread|mutex|iostream|fstream|condition_variable)$"
)
# The one meeting place of the shards: its lock guards names, never a data path.
SHARED_STATE = {
    ("sidecar/core/hand_over_registry.hpp", "mutex"),
    ("sidecar/core/receive_registry.hpp", "mutex"),
    ("sidecar/core/subscription_registry.hpp", "mutex"),
}
CLOCK = re.compile(r"_clock::now\b|\b(clock_gettime|gettimeofday|std::time)\s*\(|\btime\s*\(\s*(nullptr|0)")
ONLY_IN = {
    "simdjson": re.compile(r"broker/(envelope|json_reader)\.cpp"),
    "spdlog/": re.compile(r"sidecar/net/log\.[ch]pp"),
}

LINES_MAX = 500
COLUMNS_MAX = 110
FOLDERS = {"sidecar", "resp", "channels", "broker", "compose", "tests", "bench"}
DOCUMENTS = {"README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE"}
TOP_LEVEL = FOLDERS | DOCUMENTS | {"CMakeLists.txt", "CMakePresets.json", "dev"}
TESTED = ("resp", "channels", "broker", "sidecar/core", "sidecar/config")
CHANGES = "it needs what Redis answers: tests/control/test_changes.py"
# Units without a test of the same name, each with the reason.
UNTESTED = {
    "broker/scripts.cpp": CHANGES,
    "broker/boost_json.cpp": "the library's own code",
    "broker/blocking_parse.cpp": "the parsing half of blocking_call.hpp: blocking_call_test.cpp",
    "broker/python_repr.cpp": "the rendering half of typed_value.hpp: typed_value_test.cpp",
    "broker/stream_options.cpp": "BLOCK of XREAD, read through blocking_call: blocking_call_test.cpp",
    "sidecar/core/broker_reserve.cpp": "the following half of broker_gate.hpp: broker_gate_test.cpp",
}

BANNED = re.compile(r"\b(FIXME|XXX)\b")
OPEN_END = re.compile(r"\bTODO\b(?!.{0,3}\b(when|until|once|after)\b)")
TEXTS = (*CPP, ".py", ".sh", ".txt", ".md", ".json", ".yml", ".toml", ".js", ".go", ".rs")
# The rules and their test have to say what they forbid.
ITSELF = "tests/tidy/"
PACKAGES = ".ci/packages.txt"
INSTALLERS = ("dev", ".ci/setup.sh")
TRAPS = "tests/traps.md"
TRAPS_COUNT = 62
SHARED_FOLDERS = {"/", "/srv", "/opt", "/tmp", "/usr", "/var", "/mnt", "/home"}


def includes(project, name):
    for number, line in project.lines(name):
        if match := INCLUDE.match(line):
            yield number, match[1]


def include_directions(project):
    """Each folder includes only what stands below it; some libraries have one place."""
    for name in project.named(*CPP, under=INSIDE):
        folder = name.split("/")[0]
        for number, header in includes(project, name):
            target = header.split("/")[0]
            if target in (*INSIDE, "tests", "bench") and "/" in header and target not in INSIDE[folder]:
                yield Finding(name, number, f"{folder} must not include {header}")
            for library, place in ONLY_IN.items():
                if header.startswith(library) and not place.fullmatch(name):
                    yield Finding(name, number, f"{library.strip('/')} belongs into {place.pattern} only")


def pure_folders(project):
    """Logic takes bytes, events and now: no sockets, clocks, threads or logging."""
    for name in project.named(*CPP, under=PURE):
        for number, header in includes(project, name):
            if IMPURE_HEADERS.search(header) and (name, header) not in SHARED_STATE:
                yield Finding(name, number, f"no I/O here: {header}")
            if header.startswith(OUTER_ROOMS):
                yield Finding(name, number, f"the core must not include {header}")
        for number, line in project.lines(name):
            if CLOCK.search(line.split("//")[0]):
                yield Finding(name, number, "the caller passes now; pure code reads no clock")


def file_length(project):
    for name in [*project.named(*CPP, ".py", ".sh"), "dev"]:
        if name in project.files and (count := len(project.text(name).splitlines())) > LINES_MAX:
            yield Finding(name, 0, f"{count} lines, {LINES_MAX} at most: a room is missing")


def columns(project):
    for name in project.named(*CPP):
        for number, line in project.lines(name):
            if len(line) > COLUMNS_MAX:
                yield Finding(name, number, f"{len(line)} columns, {COLUMNS_MAX} at most")


def sources_listed(project):
    """A source that no CMakeLists.txt names is not built and rots."""
    listings = {Path(each).parent: project.text(each) for each in project.named("CMakeLists.txt")}
    for name in project.named(".cpp"):
        path = Path(name)
        nearest = next((parent for parent in path.parents if parent in listings), None)
        relative = path.relative_to(nearest).as_posix() if nearest is not None else name
        if nearest is None or not re.search(rf"(?<![\w/.]){re.escape(relative)}(?![\w.])", listings[nearest]):
            yield Finding(name, 0, "no CMakeLists.txt lists it")


def unit_of(project, name):
    """session_lease.cpp without a header of its own is a room of the unit session."""
    path = Path(name)
    words = path.stem.split("_")
    stems = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
    return next((stem for stem in stems if f"{path.parent}/{stem}.hpp" in project.files), path.stem)


def units_tested(project):
    tests = set(project.named("_test.cpp", under=["tests"]))
    units = [name for name in project.named(".cpp", under=TESTED) if Path(name).parent.as_posix() in TESTED]
    for name in units:
        path = Path(name)
        folders = (path.parent.as_posix(), path.parts[0])
        stems = {path.stem, unit_of(project, name)}
        wanted = {f"tests/{folder}/{stem}_test.cpp" for folder in folders for stem in stems}
        if not wanted & tests and name not in UNTESTED:
            yield Finding(name, 0, f"has no test {' or '.join(sorted(wanted))}, nor a reason in UNTESTED")
        if wanted & tests and name in UNTESTED:
            yield Finding(name, 0, "has a test: take it out of UNTESTED")
    for name in sorted(set(UNTESTED) - set(units)):
        yield Finding(name, 0, "does not exist: take it out of UNTESTED")


def test_names(project):
    """ctest passes a case's name to Catch2, which takes one that begins with a dash for an option."""
    for name in project.named(".cpp", under=["tests"]):
        for number, line in project.lines(name):
            if re.match(r'\s*TEST_CASE\("[-~\[]', line):
                yield Finding(name, number, "a test's name begins with a word")


def test_exists(project, path, name):
    """A pytest function, a Catch2 case, or a heading of a scenario (which may end in its protocol)."""
    if path not in project.files:
        return False
    patterns = {
        ".py": rf"^(async )?def {re.escape(name)}\(",
        ".cpp": rf'^TEST_CASE\(\s*"{re.escape(name)}"',
        ".txt": rf"^== {re.escape(name)}( \[\w+\])?$",
    }
    pattern = patterns.get(Path(path).suffix)
    return pattern is not None and re.search(pattern, project.text(path), re.MULTILINE) is not None


def traps_tested(project):
    """Every trap has its line, with a test that exists; the reasons stand beside them."""
    if TRAPS not in project.files:
        yield Finding(TRAPS, 0, "is missing")
        return
    seen = []
    for number, line in project.lines(TRAPS):
        if match := re.match(r"(\d+)\. ", line):
            seen.append(int(match[1]))
            tests = re.findall(r"`([^`:]+)::([^`]+)`", line)
            if not tests and "cannot occur" not in line:
                yield Finding(TRAPS, number, "names neither a test nor why it cannot occur")
            for path, name in tests:
                if not test_exists(project, path, name):
                    yield Finding(TRAPS, number, f"there is no test {path}::{name}")
    if seen != list(range(1, TRAPS_COUNT + 1)):
        yield Finding(TRAPS, 0, f"has other numbers than 1 to {TRAPS_COUNT}: {seen}")


def banned_words(project):
    for name in project.files:
        if name.startswith(ITSELF) or not (name.endswith(TEXTS) or project.is_script(name)):
            continue
        for number, line in project.lines(name):
            if match := BANNED.search(line):
                yield Finding(name, number, f"{match[0]}: say what is wrong, or mend it")
            if OPEN_END.search(line):
                yield Finding(name, number, "an open end needs its condition: 'TODO when …'")


def pragma_once(project):
    for name in project.named(".hpp"):
        if not re.search(r"^#pragma once$", project.text(name), re.MULTILINE):
            yield Finding(name, 0, "#pragma once is missing")


def top_level(project):
    for entry in sorted({name.split("/")[0] for name in project.files}):
        if not entry.startswith(".") and entry not in TOP_LEVEL:
            yield Finding(entry, 0, "the top level is fixed: find the folder it belongs to")


def packages_in_one_list(project):
    """Library packages stand in the one list, and nothing but ./dev installs from it."""
    if PACKAGES not in project.files:
        yield Finding(PACKAGES, 0, "is missing")
        return
    words = (line.split() for _, line in project.lines(PACKAGES))
    listed = {first for first, *_ in filter(None, words) if first[0] not in "#["}
    # Tools share their name with their package; libraries are named nowhere else.
    libraries = [name for name in listed if name.endswith(("-dev", "-venv")) or name == "catch2"]
    pattern = re.compile(rf"(?<![\w.+-])({'|'.join(map(re.escape, libraries))})(?![\w.+-])")
    for name in ["dev", *project.named(".sh", "/run", under=[".ci", "tests"])]:
        if name not in project.files:
            continue
        for number, line in project.lines(name):
            if libraries and (match := pattern.search(line)):
                yield Finding(name, number, f"{match[0]} belongs into {PACKAGES} only")
            if name not in INSTALLERS and re.search(r"\bapt(-get)? (-\S+ )*install\b", line):
                yield Finding(name, number, "only ./dev installs packages")


def no_local_paths(project):
    """Nothing names a home or the place where this clone happens to lie."""
    places = {f"{project.root}/", f"{Path.home()}/"}
    if str(project.root.parent) not in SHARED_FOLDERS:
        places.add(f"{project.root.parent}/")
    known = "|".join([*map(re.escape, sorted(places)), r"/home/[a-z]\w*/", r"/Users/\w+/"])
    pattern = re.compile(rf"(?<![\w}}.])({known})")
    for name in project.files:
        if name.startswith(ITSELF):
            continue
        for number, line in project.lines(name):
            if match := pattern.search(line):
                yield Finding(name, number, f"a path of one machine: {match[0]}")


RULES = {
    rule.__name__: rule
    for rule in (
        include_directions,
        pure_folders,
        file_length,
        columns,
        sources_listed,
        units_tested,
        test_names,
        traps_tested,
        banned_words,
        pragma_once,
        top_level,
        packages_in_one_list,
        no_local_paths,
    )
}


def main(names):
    project = Project(Path(__file__).parents[2])
    findings = [finding for name in names or RULES for finding in RULES[name](project)]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
