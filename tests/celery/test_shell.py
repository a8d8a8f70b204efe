"""Completion in real shells, events on a terminal."""

import json
import os
import pathlib
import subprocess

import pytest

from lab.commands import Commands
from lab.environments import Environment
from support import eventually
from support.sidecar import binary

ASK = """
source <("$1" completion bash)
COMP_WORDS=("${@:2}")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_sidecar
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def complete(site, tmp_path):
    """complete("purge", "ce"): what bash offers for the last word."""
    (tmp_path / "sidecar").symlink_to(pathlib.Path(binary()).resolve())

    def ask(*words):
        done = subprocess.run(
            ["bash", "-c", ASK, "bash", str(binary()), "sidecar", *words],
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SIDECAR_URL": site.http_url},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0 and not done.stderr, done
        return done.stdout.split()

    return ask


def test_bash_completes_commands_options_and_names(complete, clients, apps):
    clients(Environment.newest, apps()).send("lab.record", "a", queue="mail")
    assert complete("pu") == ["purge"]
    assert "--front" in complete("requeue", "--f")
    assert set(complete("workers", "w@host", "pool")) == {"pool-grow", "pool-shrink"}
    eventually(lambda: complete("purge", "ma") == ["mail"], 15, 0.3)
    assert complete("move", "--to", "ma") == ["mail"]
    assert complete("move", "--reason", "x", "--queue", "ma") == ["mail"]


def test_nothing_is_completed_and_nothing_said_when_the_sidecar_is_away(complete, monkeypatch, site):
    site.sidecar.freeze()
    try:
        assert complete("purge", "") == []
    finally:
        site.sidecar.thaw()


def test_zsh_completes_the_same(site, clients, apps, tmp_path):
    """Its completion system stood in for by functions that print what they are offered."""
    clients(Environment.newest, apps()).send("lab.record", "a", queue="mail")
    (tmp_path / "sidecar").symlink_to(pathlib.Path(binary()).resolve())
    asked = """
        compdef() { :; }
        _describe() { print -l -- ${(P)2} }
        compadd() { if [[ $1 == -a ]]; then print -l -- ${(P)2}; else shift; print -l -- $@; fi }
        source <(sidecar completion zsh)
        words=("$@") CURRENT=$#
        _sidecar
    """

    def complete(*words):
        done = subprocess.run(
            ["zsh", "-f", "-c", asked, "zsh", "sidecar", *words],
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SIDECAR_URL": site.http_url},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0 and not done.stderr, done
        return done.stdout.splitlines()

    assert "purge:Empty a queue; undo brings it back" in complete("pu")
    assert "--front" in complete("requeue", "--f")
    eventually(lambda: "mail" in complete("purge", ""), 15, 0.3)
    assert "mail" in complete("move", "--to", "")
    assert "pool-grow" in complete("workers", "w@host", "")


def test_events_arrive_as_they_happen(site, clients, workers, apps):
    run = Commands(site.http_url)
    with run.on_terminal("events", "--json", "--type", "task-succeeded", "--limit", "1") as terminal:
        workers(Environment.newest, apps(events=True))
        sent = clients(Environment.newest, apps(events=True)).send("lab.add", 1, 2)
        assert terminal.finish(60) == 0
    event = json.loads(terminal.text().strip().splitlines()[-1])
    assert event["type"] == "task-succeeded" and sent in (event.get("id"), event.get("uuid"))
