"""Puts tests/ on the import path, so that every suite says `from support import ...`."""

import pathlib
import sys

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
        help="proofs with Celery in their full size and time, not the short form",
    )
    group.addoption(
        "--against",
        choices=("sidecar", "redis"),
        default="sidecar",
        help="what the differential suite compares with plain Redis; `redis` checks the suite itself",
    )
