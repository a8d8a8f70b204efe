"""The same bytes in other pieces, deep pipelines and big values: the replies stay the same."""

import pytest

from differential.conversation import Conversation, fragmented, step
from differential.modes import MODES
from differential.notation import parse

PARTS = (1, 1000, 16_383, 16_384, 65_536, 300_000)  # sizes around the buffers of both servers
FRAGMENTED = """
== every class of command
A: SET k v | GET k | HSET h a 1 b 2 | HGETALL h | MULTI | INCR n | GET n | EXEC
A: WATCH k | MULTI | GET k | EXEC
A: SELECT 2 | SET two 2 | SELECT 0 | CLIENT SETNAME me | CLIENT GETNAME
A: EVAL "return {1,'x'}" 0 | NOSUCH | GET | RPUSH l a
A: BLPOP l 0 | MULTI | SET x 1 | DISCARD | CLIENT REPLY SKIP | PING | SUBSCRIBE ch | UNSUBSCRIBE ch | PING
A raw: "*0\\r\\nSET inline 'a b'\\r\\n\\r\\nGET inline\\r\\n*1\\r\\n$4\\r\\nPING\\r\\n"
== ends with a bad frame
A raw: "*1\\r\\n$4\\r\\nPING\\r\\n*2\\r\\n$3\\r\\nGET\\r\\n$x\\r\\n"
"""
CONVERSATIONS = parse(FRAGMENTED, "fragments")


def compare(pairs, mode, conversation):
    found = pairs.compare("framing", mode.servers, conversation, mode.protocol)
    if found:
        pytest.fail(f"{conversation.title}\n{found}\n{pairs.get(mode.servers).log_tail()}", pytrace=False)


@pytest.mark.parametrize("mode", MODES[:3], ids=lambda mode: mode.name)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 16, 61])
@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda c: c.title)
def test_fragments_of_a_size(pairs, mode, size, conversation):
    compare(pairs, mode, fragmented(conversation, size))


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda c: c.title)
def test_cut_once_at_every_byte(pairs, conversation):
    longest = max(len(one.data) for one in conversation.steps)
    for cut in range(1, longest):
        cut_there = [one.but(cuts=(cut,) if cut < len(one.data) else ()) for one in conversation.steps]
        compare(pairs, MODES[1], conversation.with_steps(cut_there))


@pytest.mark.parametrize("mode", MODES[:3], ids=lambda mode: mode.name)
def test_ten_thousand_commands_in_one_write(pairs, mode):
    commands = []
    for number in range(10_000):
        command = (("SET", f"k{number}", number), ("INCR", "n"), ("GET", f"k{number - 2}"), ("NOSUCH",))[
            number % 4
        ]
        commands.append(command)
    steps = [step("A", *commands), step("A", ("GET", "n"))]
    compare(pairs, mode, Conversation("deep pipeline", tuple(steps)))


@pytest.mark.parametrize("mode", MODES[:3], ids=lambda mode: mode.name)
def test_deep_pipeline_of_every_class(pairs, mode):
    commands = []
    for number in range(300):
        commands += [
            ("SET", "k", number),
            ("MULTI",),
            ("INCR", "n"),
            ("EXEC",),
            ("RPUSH", "l", number),
            ("BLPOP", "l", 0),
            ("WATCH", "k"),
            ("MULTI",),
            ("GET", "k"),
            ("EXEC",),
            ("PING", number),
            ("SELECT", number % 3),
            ("CLIENT", "SETNAME", f"c{number}"),
            ("CLIENT", "GETNAME"),
        ]
    compare(pairs, mode, Conversation("deep pipeline of classes", (step("A", *commands),)))


@pytest.mark.parametrize("megabytes", [1, 20])
@pytest.mark.parametrize("mode", MODES[:3], ids=lambda mode: mode.name)
def test_big_bulk(pairs, mode, megabytes):
    value = bytes(range(256)) * (megabytes * 4096)
    steps = [
        step("A", ("SET", "big", value)),
        step("A", ("GET", "big"), wait=1),
        step("A", ("ECHO", value), ("STRLEN", "big"), ("GET", "big"), wait=3),
        step("B", ("MULTI",), ("APPEND", "big", value), ("GET", "big"), ("EXEC",), wait=4),
    ]
    compare(pairs, mode, Conversation(f"{megabytes} MB", tuple(steps)))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("mode", MODES[:3], ids=lambda mode: mode.name)
def test_pipeline_of_large_and_small_replies(pairs, mode, part):
    steps = [
        step("A", ("SET", "big", b"x" * part)),
        step("A", *[("GET", "big"), ("PING",), ("GET", "none")] * 40, wait=120),
        step("B", ("GET", "big"), ("INCR", "n"), wait=2),
    ]
    compare(pairs, mode, Conversation(f"replies of {part}", tuple(steps)))
