"""Puts tests/ on the import path, so that every suite says `from support import ...`."""

import gc
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))


def pytest_addoption(parser):
    group = parser.getgroup("sidecar")
    group.addoption("--conversations", type=int, default=3000, help="random conversations to compare")
    group.addoption("--seed", type=int, default=1, help="seed of the random conversations")
    group.addoption("--only", help="the one random conversation to hold, as a failure names it: tls:17")
    group.addoption(
        "--rounds", type=int, default=1, help="of each fault under load; more than one also runs rarer kinds"
    )
    group.addoption(
        "--full",
        action="store_true",
        help="proofs of the broker in their full size and time, not the short form",
    )
    group.addoption(
        "--against",
        choices=("sidecar", "redis"),
        default="sidecar",
        help="what the differential suite compares with plain Redis; `redis` checks the suite itself",
    )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """Keeps a failed test from ending the whole run.

    Its source is parsed for the report. Where the collector runs amid that and ends an asyncio task whose
    exception nobody asked for, the logged traceback parses source as well, and Python before 3.11.5 raises
    SystemError ("AST constructor recursion depth mismatch").
    """
    enabled = gc.isenabled()
    gc.disable()
    yield
    if enabled:
        gc.enable()


class FailuresAtOnce:
    """Names a failed test when it fails: a run that is ended early tells no summary."""

    def __init__(self, terminal):
        self.terminal = terminal

    def pytest_runtest_logreport(self, report):
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            said = crash.message.splitlines()[0] if crash and crash.message else ""
            self.terminal.write_line(f"\nFAILED ({report.when}) {report.nodeid}: {said[:200]}")


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    if (terminal := config.pluginmanager.get_plugin("terminalreporter")) is not None:
        config.pluginmanager.register(FailuresAtOnce(terminal))
