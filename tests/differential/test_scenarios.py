"""The written conversations, each in every mode it holds for."""

import dataclasses
import pathlib

import pytest

from differential.modes import PASSWORD, modes_for
from differential.notation import parse, write


def all_conversations():
    for path in sorted(pathlib.Path(__file__).with_name("scenarios").glob("*.txt")):
        for conversation in parse(path.read_text(), path.stem):
            for mode in modes_for(conversation.options):
                yield pytest.param(conversation, mode, id=f"{conversation.title} ({mode.name})")


@pytest.mark.parametrize("conversation, mode", list(all_conversations()))
def test_same_replies(pairs, conversation, mode):
    password = PASSWORD if "password" in conversation.options else None
    servers = dataclasses.replace(mode.servers, password=password)
    given = None if "unauthenticated" in conversation.options else password
    found = pairs.compare("written", servers, conversation, mode.protocol, given)
    if found:
        pytest.fail(f"{write(conversation)}\n{found}\n{pairs.get(servers).log_tail()}", pytrace=False)
