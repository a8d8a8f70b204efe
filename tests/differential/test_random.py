"""Random conversations over mixed classes, in every world (modes.py).

A failure names the conversation, so that it can be held alone, and prints the smallest one that shows the
same difference, as it can be pasted into a file of scenarios/.
"""

import pytest

from differential.generate import Generator
from differential.modes import WORLDS, shares
from differential.notation import write
from differential.shrink import shrink
from differential.side import DEADLINE, ReferenceStuck

BATCH = 50
SHRINKING_PATIENCE = 2.0


def pytest_generate_tests(metafunc):
    only = metafunc.config.getoption("--only")
    if only:
        name, number = only.split(":")
        cases = [(name, range(int(number), int(number) + 1))]
    else:
        counts = shares(metafunc.config.getoption("--conversations"))
        cases = [
            (name, range(first, min(first + BATCH, count)))
            for name, count in counts.items()
            for first in range(0, count, BATCH)
        ]
        # The worlds in turn: a run that is ended early has seen all of them.
        cases.sort(key=lambda case: case[1][0] / counts[case[0]])
    ids = [f"{name}-{numbers[0]}" for name, numbers in cases]
    metafunc.parametrize("name, numbers", cases, ids=ids)


@pytest.mark.timeout(600)
def test_random_conversations(pairs, request, name, numbers):
    for number in numbers:
        hold(pairs, WORLDS[name], request.config.getoption("--seed"), number)
    left = pairs.get(WORLDS[name].mode.servers).leaks()
    assert not left, left


def hold(pairs, world, seed, number):
    name = f"{world.mode.name}:{number}"
    conversation = Generator(f"{seed}:{name}", world).conversation(f"seed {seed}, {name}")

    def compare(one, patience=DEADLINE):
        return pairs.compare(world.mode.name, world.mode.servers, one, patience=patience)

    alone = f"to hold it alone: ./dev test --differential -- --seed {seed} --only {name}"
    try:
        found = compare(conversation)
    except ReferenceStuck as stuck:
        pytest.fail(f"{alone}\n{write(conversation)}\n{stuck}", pytrace=False)
    if found:
        log = pairs.get(world.mode.servers).log_tail()
        least, why = shrink(conversation, found, lambda one: compare(one, SHRINKING_PATIENCE))
        steps = f"{len(conversation.steps)} steps, the first difference was\n{found}"
        pytest.fail(f"{alone}\n{write(least)}\n\n{why}\n\nbefore: {steps}\n{log}", pytrace=False)
