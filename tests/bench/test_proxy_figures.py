"""What the speed table says of given records."""

from xml.etree import ElementTree

import pytest

from bench.proxy import figures, picture, report, workloads

ROWS = {each.name: each.row for each in workloads.ALL}


def record(number, workload, contender, **values):
    taken = {"rps": 1000.0, "redis_cpu_us": 1.0, "p50_us": 100.0, "p99_us": 500.0, "user_share": 0.2}
    return {"round": number, "workload": workload, "contender": contender, **taken, **values}


def run(workload, **cpu_of_contender):
    """A record per round and contender; each contender is given with its CPU in every round."""
    return figures.Records(
        [
            record(number, workload, contender, proxy_cpu_us=value)
            for contender, values in cpu_of_contender.items()
            for number, value in enumerate(values)
        ]
    )


def judged(records, subject="sidecar"):
    return {
        (each.requirement.figure, each.requirement.other): each
        for each in figures.verdicts(records, ROWS, subject)
    }


def test_ratios_are_of_the_same_round():
    # A machine that becomes ten times slower between the rounds changes nothing about the ratio.
    records = run("c50-get", sidecar=[1.0, 10.0, 100.0], nutcracker=[2.0, 20.0, 200.0])
    ratio = records.ratio("c50-get", "proxy_cpu_us", "sidecar", "nutcracker")
    assert (ratio.median, ratio.low, ratio.high, ratio.count) == (0.5, 0.5, 0.5, 3)


def test_a_round_without_its_pair_does_not_count():
    records = run("c50-get", sidecar=[1.0, 1.0, 9.0], nutcracker=[2.0, 2.0])
    assert records.ratio("c50-get", "proxy_cpu_us", "sidecar", "nutcracker").count == 2
    assert records.ratio("c50-get", "proxy_cpu_us", "sidecar", "haproxy") is None


@pytest.mark.parametrize(("cpu", "holds"), [(0.84, True), (0.85, True), (0.86, False)])
def test_a_bound_is_judged_by_the_median(cpu, holds):
    records = run("c50-get", sidecar=[cpu, cpu, 50.0], nutcracker=[1.0, 1.0, 1.0])
    assert judged(records)["proxy_cpu_us", "nutcracker"].holds is holds


def test_throughput_must_be_at_least():
    slow = [record(n, "P16-set", "sidecar", rps=1900.0) for n in range(3)]
    peer = [record(n, "P16-set", "nutcracker", rps=1000.0) for n in range(3)]
    assert not judged(figures.Records(slow + peer))["rps", "nutcracker"].holds
    quick = [each | {"rps": 2000.0} for each in slow]
    assert judged(figures.Records(quick + peer))["rps", "nutcracker"].holds


def test_a_transaction_is_compared_with_its_own_commands():
    records = figures.Records(
        [
            record(n, workload, "sidecar", batch_cpu_us=cpu)
            for n in range(3)
            for workload, cpu in (("transactions", 2.0), ("untransacted", 1.0))
        ]
    )
    verdict = judged(records)["batch_cpu_us", "untransacted"]
    assert verdict.ratio.median == 2.0
    assert not verdict.holds


def test_every_row_of_the_table_is_measured():
    assert set(figures.REQUIRED) <= set(ROWS.values())
    names = [each.name for each in workloads.ALL]
    assert len(names) == len(set(names))


def test_the_text_names_what_is_missed():
    records = run("c50-get", sidecar=[1.0, 1.0], nutcracker=[1.0, 1.0], haproxy=[2.0, 2.0])
    lines = report.text(records, ROWS, "sidecar", ["sidecar"]).splitlines()
    assert [line.split()[-2:] for line in lines if "0.85 x nutcracker" in line] == [["MISSED", "-"]]
    assert [line.split()[-2:] for line in lines if "0.60 x haproxy" in line] == [["ok", "-"]]


def test_the_text_tells_what_the_floor_has_in_the_same_place():
    records = run("c50-get", sidecar=[1.0, 1.0], nutcracker=[2.0, 2.0], floor=[0.5, 0.5])
    lines = report.text(records, ROWS, "sidecar", ["sidecar"]).splitlines()
    assert [line.split()[-2:] for line in lines if "0.85 x nutcracker" in line] == [["ok", "0.25"]]


def test_the_picture_is_an_svg_with_every_contender():
    records = run("c50-get", sidecar=[1.0, 2.0], **{"a<b": [3.0, 3.0]})
    conditions = {"machine": {"cores": 2, "cpu": "some & other", "kernel": "6"}}
    root = ElementTree.fromstring(picture.svg(records, picture.caption(records, conditions)))
    words = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"sidecar", "a<b", "c50-get", "1.5", "3"} <= words
