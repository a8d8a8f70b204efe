"""Jobs of an rq application. Runs leave a line in the file RUNS_FILE."""

import os
import time


def multiply(left, right):
    return left * right


def note(line):
    with open(os.environ["RUNS_FILE"], "a", buffering=1) as runs:
        runs.write(f"{line}\n")
    return line


def fail(label):
    note(label)
    raise ValueError(label)


def fail_first(label):
    with open(os.environ["RUNS_FILE"]) as runs:
        ran_before = f"{label}\n" in runs.read()
    note(label)
    if not ran_before:
        raise ValueError(label)
    return "second run"


def wait_to_be_stopped(label):
    note(label)
    time.sleep(60)
    note(f"{label} ended")
