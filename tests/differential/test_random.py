"""Random conversations over mixed classes.

A failure prints its seed and the smallest conversation that fails.
"""

import random
import time

import pytest

from differential import generate
from differential.pairs import MODES
from differential.runner import ReferenceStuck, run

BATCH = 25
SHRINK_SECONDS = 40
OPEN_MODES = [mode for mode in MODES if "open" in mode.flags]


def pytest_generate_tests(metafunc):
    count = metafunc.config.getoption("--conversations")
    metafunc.parametrize("first", range(0, count, BATCH))


def compare(pairs, mode, turns, fragment):
    pair = pairs.get(mode.flags)
    return run(generate.conversation("random", turns), *pair.sides(mode.protocol, fragment=fragment))


def compare_smaller(pairs, mode, turns, fragment):
    """What is left of a conversation may be one that plain Redis itself does not finish."""
    try:
        return compare(pairs, mode, turns, fragment)
    except ReferenceStuck:
        return None


def shrink(pairs, mode, turns, fragment):
    deadline = time.monotonic() + SHRINK_SECONDS
    found = None
    progress = True
    while progress and time.monotonic() < deadline:
        progress = False
        for candidate in generate.smaller(turns):
            result = compare_smaller(pairs, mode, candidate, fragment)
            if result:
                turns, found, progress = candidate, result, True
                break
            if time.monotonic() > deadline:
                break
    return turns, found


def test_random_conversations(pairs, request, first):
    base = request.config.getoption("--seed")
    for number in range(first, min(first + BATCH, request.config.getoption("--conversations"))):
        seed = f"{base}:{number}"
        mode = OPEN_MODES[number % len(OPEN_MODES)]
        fragment = random.Random(seed).choice((0, 0, 0, 1, 7, 100))
        turns = generate.Generator(seed, mode.protocol).turns()
        found = compare(pairs, mode, turns, fragment)
        if found:
            least, why = shrink(pairs, mode, turns, fragment)
            text = generate.conversation(f"seed {seed}, {mode.name}, fragments of {fragment}", least)
            pytest.fail(f"--seed {base}, number {number}\n{text}\n{why or found}", pytrace=False)
