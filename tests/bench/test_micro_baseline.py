"""When the comparison with the baseline of instructions complains."""

import pytest

from bench.micro import __main__ as micro


@pytest.mark.parametrize(("now", "dearer"), [(104.0, []), (106.0, ["a"]), (50.0, [])])
def test_only_what_became_dearer_is_named(now, dearer):
    assert micro.compare({"a": now}, {"a": 100.0}) == dearer


def test_cases_that_come_or_go_need_a_new_baseline():
    assert micro.compare({"a": 1.0, "new": 1.0}, {"a": 1.0, "gone": 1.0}) == ["gone", "new"]


@pytest.fixture
def check(monkeypatch, tmp_path):
    """The status of a check against a baseline of 100 instructions by compiler X."""

    def run(compiler, now):
        baseline = tmp_path / "baseline.json"
        baseline.write_text('{"compiler": "X", "instructions_per_command": {"a": 100.0}}')
        monkeypatch.setattr(micro, "BASELINE", baseline)
        monkeypatch.setattr(micro, "compiler", lambda build: compiler)
        monkeypatch.setattr(micro, "instructions", lambda build: {"a": now})
        return micro.check(tmp_path)

    return run


def test_a_dearer_case_fails_under_the_same_compiler_only(check):
    assert check("X", 120.0) == 1
    assert check("X", 101.0) == 0
    assert check("Y", 120.0) == 0
