"""Every command and subcommand that Redis knows, with too few and with odd arguments, alone and in MULTI."""

import pytest

from differential.conversation import Conversation, step
from differential.modes import MODES

# Change the server, the mode of the connection, or say something that is true of this process only.
LEFT_OUT = {
    "shutdown", "monitor", "sync", "psync", "replconf", "failover", "save", "bgsave", "bgrewriteaof",
    "quit", "restore-asking", "pfdebug", "pfselftest", "debug", "lastsave", "time", "info", "command",
    "lolwut", "hello", "reset", "randomkey", "keys", "role", "flushall", "client|id", "client|info",
    "client|list", "client|kill", "client|pause", "client|reply", "client|unpause", "memory|doctor",
    "memory|malloc-stats", "memory|purge", "memory|stats", "latency|doctor", "latency|latest",
    "latency|histogram", "latency|reset", "slowlog|get", "slowlog|len", "slowlog|reset", "acl|genpass",
    "acl|log", "acl|save", "acl|load", "acl|list", "acl|users", "acl|getuser", "acl|setuser", "acl|deluser",
    "acl|cat", "config|rewrite", "config|resetstat", "config|get", "config|set", "command|list",
    "command|docs", "command|info", "cluster|reset", "module|list", "module|load", "module|loadex",
    "module|unload", "script|kill", "function|kill", "script|debug", "function|dump", "function|stats",
    "cluster|bumpepoch", "object|idletime",
}  # fmt: skip
# Executed inside MULTI by Redis, refused at queue time by the sidecar: they would change a shared connection.
NOT_IN_MULTI = {
    "subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe", "auth",
    "client|tracking", "client|caching", "client|unblock",
}  # fmt: skip


def catalogue(redis):
    """Words of every command: ["get"], ["client", "getname"] ..."""
    found = []
    for entry in redis.command("COMMAND"):
        name, subcommands = entry[0].decode(), entry[9]
        names = [sub[0].decode() for sub in subcommands] or [name]
        found += [one.split("|") for one in names if one not in LEFT_OUT]
    return sorted(found)


NOT_ENOUGH = 8  # differences that are shown before the rest is left out


def compare_each(pairs, mode, conversations):
    """All commands are tried, so that one run shows every difference."""
    found = []
    for conversation in conversations(pairs.get(mode.servers).plain):
        difference = pairs.compare("every command", mode.servers, conversation, mode.protocol)
        if difference:
            found.append(f"{conversation.title}: {difference}")
        if len(found) == NOT_ENOUGH:
            break
    if found:
        pytest.fail("\n".join(found), pytrace=False)


ODD = [(), ("k",), ("k", "x"), ("k", "1", "x"), ("1", "k", "k", "0.01"), ("x",) * 9]


@pytest.mark.parametrize("mode", MODES[:3], ids=lambda mode: mode.name)
@pytest.mark.parametrize("arguments", ODD, ids=lambda arguments: f"{len(arguments)} arguments")
def test_odd_arguments(pairs, mode, arguments):
    def conversations(redis):
        for words in catalogue(redis):
            wait = 1 if words[0].startswith("b") or words[0] == "wait" else 0
            one = step("A", (*words, *arguments), wait=wait, normaliser=normaliser_of(words))
            yield Conversation(" ".join(words), (one, step("A", ("PING",))))

    compare_each(pairs, mode, conversations)


def normaliser_of(words):
    return "kind" if words[0] == "memory" else ""


@pytest.mark.parametrize("mode", MODES[:3], ids=lambda mode: mode.name)
@pytest.mark.parametrize("arguments", ODD[:3], ids=lambda arguments: f"{len(arguments)} arguments")
def test_queued(pairs, mode, arguments):
    """What is queued and what is rejected; that a rejected one aborts."""

    def conversations(redis):
        for words in catalogue(redis):
            if "|".join(words) not in NOT_IN_MULTI:
                command = (*words, *arguments)
                steps = [step("A", one) for one in (("MULTI",), command, ("DISCARD",), ("DISCARD",))]
                whole = step("A", ("MULTI",), command, ("SET", "after", "1"), ("DISCARD",), ("GET", "after"))
                yield Conversation(" ".join(words), (*steps, whole))

    compare_each(pairs, mode, conversations)
