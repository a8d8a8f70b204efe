"""The written conversations, each in every mode it holds for."""

import pathlib

import pytest

from differential.conversation import parse
from differential.pairs import modes_for
from differential.runner import run

PASSWORD = "a password"


def all_conversations():
    for path in sorted(pathlib.Path(__file__).with_name("scenarios").glob("*.txt")):
        for conversation in parse(path.read_text(), path.stem):
            for mode in modes_for(conversation.options):
                yield pytest.param(conversation, mode, id=f"{conversation.title} ({mode.name})")


@pytest.mark.parametrize("conversation, mode", list(all_conversations()))
def test_same_replies(pairs, conversation, mode):
    password = PASSWORD if "password" in conversation.options else None
    pair = pairs.get(mode.flags, password)
    given = None if "unauthenticated" in conversation.options else password
    found = run(conversation, *pair.sides(mode.protocol), password=given)
    if found:
        pytest.fail(f"{conversation}\n{found}\n{pair.log_tail()}", pytrace=False)
