"""Makes a conversation that shows a difference as small as it goes, and still show the same one."""

import itertools
import time

from differential.conversation import Action
from differential.menus import BEFORE_IT_DISCARD
from differential.side import ReferenceStuck

TRIES = 600
SECONDS = 60
LONG = 8  # bytes of an argument


def shrink(conversation, difference, compare, tries=TRIES, seconds=SECONDS):
    """(smaller conversation, its difference). compare: conversation -> None or Difference."""
    deadline = time.monotonic() + seconds
    budget = itertools.count()

    def still_shows(candidate):
        if next(budget) >= tries or time.monotonic() > deadline or not permitted(candidate):
            return None
        try:
            found = compare(candidate)
        except ReferenceStuck:  # What is left may be one that plain Redis itself does not finish.
            return None
        return found if found and not found.racing and found.signature == difference.signature else None

    progress = True
    while progress:
        progress = False
        for passing in PASSES:
            conversation, difference, smaller = exhaust(passing, conversation, difference, still_shows)
            progress = progress or smaller
    return conversation, difference


def exhaust(passing, conversation, difference, still_shows):
    """Takes the first candidate that still shows it, until there is none."""
    progress = False
    while True:
        for candidate in passing(conversation):
            if found := still_shows(candidate):
                conversation, difference, progress = candidate, found, True
                break
        else:
            return conversation, difference, progress


def permitted(conversation):
    """Nothing that the sidecar refuses in a transaction, as documented, is brought into one."""
    open_ones = set()
    for one in conversation.steps:
        if one.action is not Action.SEND:
            open_ones.discard(one.client)
        for command in one.commands:
            words = tuple(word.decode("latin-1").upper() for word in command[:2])
            if one.client in open_ones and (words in BEFORE_IT_DISCARD or words[:1] in BEFORE_IT_DISCARD):
                return False
            if words[:1] == ("MULTI",):
                open_ones.add(one.client)
            elif words[0] in ("EXEC", "DISCARD", "RESET"):
                open_ones.discard(one.client)
    return bool(conversation.steps)


# The passes: each gives conversations with something less, large parts first.


def without(items):
    """Without a half, a quarter ... without one."""
    size = len(items) // 2
    while size >= 1:
        for start in range(0, len(items), size):
            yield items[:start] + items[start + size :]
        size //= 2


def fewer_clients(conversation):
    for name in conversation.clients:
        yield conversation.with_steps(one for one in conversation.steps if one.client != name)


def fewer_steps(conversation):
    return map(conversation.with_steps, without(conversation.steps))


def each_step(conversation, alternatives):
    for index, one in enumerate(conversation.steps):
        for other in alternatives(one):
            yield conversation.with_steps(
                [*conversation.steps[:index], other, *conversation.steps[index + 1 :]]
            )


def plainer_steps(conversation):
    """Without pieces, pauses and company."""

    def alternatives(one):
        if one.hold >= 0:
            yield one.but(hold=-1)
        if one.together:
            yield one.but(together=False)
        if one.cuts:
            yield one.but(cuts=())
        if len(one.cuts) > 1:
            yield from (one.but(cuts=cuts) for cuts in without(one.cuts))

    return each_step(conversation, alternatives)


def fewer_commands(conversation):
    def alternatives(one):
        if len(one.commands) > 1:
            for commands in without(one.commands):
                yield one.but(commands=commands, cuts=fitting(one.cuts, commands, one), hold=-1)

    return each_step(conversation, alternatives)


def fitting(cuts, commands, one):
    """Cuts that still lie inside."""
    length = len(one.but(commands=commands).data)
    return tuple(cut for cut in cuts if cut < length)


def shorter_commands(conversation):
    """Fewer and shorter arguments."""

    def alternatives(one):
        for index, command in enumerate(one.commands):
            for other in smaller_command(command):
                commands = (*one.commands[:index], other, *one.commands[index + 1 :])
                yield one.but(commands=commands, cuts=fitting(one.cuts, commands, one), hold=-1)

    return each_step(conversation, alternatives)


def smaller_command(command):
    for length in range(len(command) - 1, 0, -1):
        yield command[:length]
    for index, argument in enumerate(command):
        if index and len(argument) > LONG:
            yield (*command[:index], b"x", *command[index + 1 :])


PASSES = (fewer_clients, fewer_steps, plainer_steps, fewer_commands, shorter_commands)
