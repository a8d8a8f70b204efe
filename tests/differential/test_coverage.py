"""No command of Redis is forgotten: each has its place in a written or a random conversation."""

import pytest

from differential.generate import Generator
from differential.modes import WORLDS
from differential.test_scenarios import all_conversations
from support import RedisServer

LOOKED_AT = 60  # conversations of each world
NOT_SPOKEN = {
    "shutdown": "ends the server; test_every_command tries its errors",
    "monitor": "its lines carry times and the addresses of connections",
    "sync": "replication does not go through the sidecar",
    "psync": "replication does not go through the sidecar",
    "replconf": "replication does not go through the sidecar",
}


def commands_of_redis():
    """Names as COMMAND has them, `client|getname` for a subcommand."""
    with RedisServer() as redis:
        for entry in redis.command("COMMAND"):
            subcommands = [sub[0].decode() for sub in entry[9]]
            yield from subcommands or [entry[0].decode()]


def spoken(conversations):
    names = set()
    for conversation in conversations:
        for command in (command for one in conversation.steps for command in one.commands):
            words = [word.decode("latin-1").lower() for word in command[:2]]
            names |= {words[0], "|".join(words)}
    return names


@pytest.fixture(scope="module")
def written():
    return spoken(each.values[0] for each in all_conversations())


@pytest.fixture(scope="module")
def random():
    return spoken(
        Generator(f"1:{name}:{number}", world).conversation(name)
        for name, world in WORLDS.items()
        for number in range(LOOKED_AT)
    )


def test_every_command_is_spoken(written, random):
    known = set(commands_of_redis())
    assert known - written - random == set(NOT_SPOKEN)
    assert known >= set(NOT_SPOKEN)


# Of the commands that a transaction, a pipeline, a cut or a restart can do harm to, all are picked at random.
CLASSES = {
    "whole and typed transactions": "multi exec discard watch unwatch",
    "blocking": "blpop brpop blmove brpoplpush blmpop bzpopmin bzpopmax bzmpop xread wait",
    "pub/sub": "subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe publish spublish",
    "scripts": "eval eval_ro evalsha script|load fcall fcall_ro function|load",
    "connection": "auth hello select reset ping echo client|setname client|getname client|reply acl|whoami",
    "across dbs": "move copy swapdb flushall flushdb config|get config|set",
}


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_is_picked_at_random(random, name):
    assert not set(CLASSES[name].split()) - random
