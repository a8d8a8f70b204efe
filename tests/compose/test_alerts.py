"""The alert rules that are shipped: Prometheus takes them, their metrics are there, and they fire."""

import contextlib
import json
import pathlib
import re
import subprocess

import http_client
import promtool
import pytest
from environment import ROOT
from test_configuration import yaml_of
from test_story_3_broker import finished, send

from support.polling import eventually

FOLDER = ROOT / "compose" / "prometheus"
RULES = FOLDER / "alerts.yml"
HERE = pathlib.Path(__file__).resolve().parent
METRIC = r"\b(?:sidecar|celery)_[a-z_]+\b"
SERIES = re.compile(r"^([a-z_]+)(?:\{(.*)\})? ", re.MULTILINE)
# Labels of the group-by clauses, the matchers and the texts.
LABEL_LISTS = re.compile(r"\b(?:by|on) \(([a-z_, ]+)\)")
LABELS = re.compile(r"([a-z_]+)!?=\"|\$labels\.([a-z_]+)")


@pytest.fixture(scope="module")
def tool():
    found = promtool.program()
    if not found:
        pytest.skip("promtool is not installed, and only root may unpack it")
    return found


def rules():
    return [rule for group in yaml_of(RULES.read_text())["groups"] for rule in group["rules"]]


def metrics_of(hdms):
    return http_client.get(hdms.port("sidecar-http"), "/metrics").body.decode()


def test_promtool_takes_the_rules(tool):
    result = subprocess.run([tool, "check", "rules", RULES], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(rules())} rules found" in result.stdout


def test_alerts_fire_on_what_they_are_for_and_not_otherwise(tool, tmp_path):
    cases = yaml_of((HERE / "alerts_cases.yml").read_text())
    cases["rule_files"] = [str(RULES)]
    file = tmp_path / "cases.yml"
    file.write_text(json.dumps(cases))
    result = subprocess.run([tool, "test", "rules", file], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    told = {test["alertname"] for case in cases["tests"] for test in case["alert_rule_test"]}
    assert told == {rule["alert"] for rule in rules()}, "an alert without a case"


def test_each_metric_of_a_rule_is_in_the_running_sidecars_text(hdms):
    finished(hdms, send(hdms, "note.txt", b"for the counters"))
    call_in_vain(hdms)
    named = {name for rule in rules() for name in re.findall(METRIC, rule["expr"])}
    assert len(named) >= len(rules()) - 1
    with contextlib.suppress(AssertionError):
        eventually(lambda: named <= names_of(hdms), 20, 0.5)
    assert named - names_of(hdms) == set()


def names_of(hdms):
    text = metrics_of(hdms)
    return {name for name, _ in SERIES.findall(text)} | set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


def call_in_vain(hdms):
    """A task that fails, for the lack of its argument."""
    python = "python" if hdms.stack.kind == "docker" else hdms.stack.stack.python
    command = ["-m", "celery", "-A", "file_service", "call", "file_service.process"]
    hdms.stack.execute("file-worker", python, *command)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_each_label_of_a_rule_is_one_of_its_metrics(hdms, rule):
    series = [
        set(re.findall(r'([a-z_]+)="', labels))
        for name, labels in SERIES.findall(metrics_of(hdms))
        if name in re.findall(METRIC, rule["expr"])
    ]
    words = rule["expr"] + json.dumps(rule["annotations"])
    wanted = {name for pair in LABELS.findall(words) for name in pair if name}
    wanted |= {name.strip() for names in LABEL_LISTS.findall(words) for name in names.split(",")}
    if series and wanted:
        assert wanted <= set.union(*series), f"{rule['alert']}: {wanted} of {series[0]}"
