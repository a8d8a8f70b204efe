"""The shrinker and the notation it prints, tested on differences that are put there."""

import pytest

from differential.conversation import Action, Conversation, Step, step
from differential.generate import Generator
from differential.liar import Liar
from differential.modes import WORLDS, Servers
from differential.notation import parse, write
from differential.pairs import Pair
from differential.runner import Difference, run
from differential.shrink import permitted, shrink
from differential.side import Door

SEEDS = range(30)


def random_conversations():
    for name, world in WORLDS.items():
        for seed in SEEDS:
            yield Generator(f"{seed}:{name}", world).conversation(f"{name} {seed}")


def test_what_is_written_reads_the_same_again():
    for conversation in random_conversations():
        again = parse(write(conversation), "x")
        assert [one.steps for one in again] == [conversation.steps], write(conversation)
        assert again[0].options == conversation.options


def test_a_seed_makes_the_same_conversation_each_time():
    assert list(random_conversations()) == list(random_conversations())


def all_commands(conversation):
    return [command for one in conversation.steps for command in one.commands]


def appears(conversation, *words):
    return any(command[: len(words)] == words for command in all_commands(conversation))


def found_if(holds):
    difference = Difference((), "frame", "A", "b'+OK'", "nothing")
    return lambda conversation: difference if holds(conversation) else None


@pytest.mark.parametrize("seed", range(5))
def test_only_what_shows_the_difference_stays(seed):
    conversation = Generator(f"{seed}", WORLDS["open"]).conversation("long")
    middle = len(conversation.steps) // 2
    planted = step("B", ("PING",), ("SET", "k", "a long value", "EX", 100), ("PING",), cuts=(3, 9, 40))
    there = [*conversation.steps[:middle], planted, *conversation.steps[middle:]]
    there.insert(1, step("C", ("GET", "first"), together=True))
    compare = found_if(
        lambda one: (
            appears(one, b"SET", b"k")
            and appears(one, b"GET")
            and any(cut > 2 for each in one.steps for cut in each.cuts)
        )
    )
    least, _ = shrink(conversation.with_steps(there), compare(conversation.with_steps(there)), compare, 3000)
    assert sorted(command[:2] for command in all_commands(least)) == [(b"GET",), (b"SET", b"k")]
    assert len(least.steps) == 2
    assert sum(len(one.cuts) for one in least.steps) == 1


def test_another_difference_is_not_followed():
    start = Conversation("two", (step("A", ("SET", "a", "1")), step("A", ("SET", "b", "2"))))

    def compare(conversation):
        if len(conversation.steps) == 2:
            return Difference((), "frame", "A", "b'+OK'", "b':1'")
        return Difference((), "closing", "A", "open", "closed")

    least, _ = shrink(start, compare(start), compare)
    assert len(least.steps) == 2


def test_it_ends_after_so_many_tries():
    conversation, tries = Generator("1", WORLDS["open"]).conversation("long"), []

    def compare(candidate):
        tries.append(candidate)

    shrink(conversation, Difference((), "frame", "A", "x", "y"), compare, tries=7)
    assert len(tries) == 7


def test_documented_refusals_are_not_brought_into_transactions():
    multi, subscribe = step("A", ("MULTI",)), step("A", ("SUBSCRIBE", "c"))
    assert not permitted(Conversation("", (multi, subscribe)))
    assert permitted(Conversation("", (multi, step("A", ("DISCARD",), ("SUBSCRIBE", "c")))))
    closed = (Step("A", action=Action.CLOSE), Step("A", action=Action.OPEN))
    assert permitted(Conversation("", (multi, *closed, subscribe)))


@pytest.fixture(scope="module")
def two_redis():
    pair = Pair(Servers(()), "redis")
    yield pair
    pair.close()


def test_a_lying_proxy_is_convicted_by_two_commands(two_redis):
    """Replies are false only to a client that has used SETRANGE; the proof is that and one PING."""
    with Liar(two_redis.behind.address, (b"SETRANGE",), b"+PONG\r\n", b"+PANG\r\n") as liar:

        def compare(conversation):
            two_redis.empty()
            plain, subject = two_redis.sides(patience=2.0)
            subject.door = Door(liar.address)
            return run(conversation, plain, subject)

        planted = (
            step("A", ("SET", "k", "v"), ("SETRANGE", "k", 2, "more"), ("GET", "k")),
            step("A", ("GET", "k"), ("PING",), ("SELECT", 1)),
        )
        random = Generator("7", WORLDS["open"]).conversation("a lie")
        conversation = random.with_steps([*random.steps[:6], planted[0], *random.steps[6:9], planted[1]])
        found = compare(conversation)
        assert found is not None
        least, why = shrink(conversation, found, compare)
    assert [command[0] for command in all_commands(least)] == [b"SETRANGE", b"PING"], write(least)
    assert (why.expected[:9], why.got[:9]) == ("b'+PONG\\r", "b'+PANG\\r")
