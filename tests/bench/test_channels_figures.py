"""What `./dev bench channels` says of given records."""

from xml.etree import ElementTree

from bench.channels import figures, report, workloads
from bench.proxy.figures import Records


def record(number, workload, contender, **values):
    taken = {
        "server_cpu_us": 1.0,
        "redis_message_us": 5.0,
        "load_cpu_us": 1.0,
        "deliveries_per_second": 1000.0,
    }
    taken |= {"p50_us": 10.0, "p99_us": 20.0, "last_us": 30.0, "redis_bytes": 500.0, "faults": 0}
    return {"round": number, "workload": workload, "contender": contender, **taken, **values}


def judged(records):
    return {
        (each.need.workload, each.need.figure, each.need.other): each for each in figures.verdicts(records)
    }


def pair(workload, mine, other, figure, ours, theirs):
    return Records(
        [record(n, workload, mine, **{figure: value}) for n, value in enumerate(ours)]
        + [record(n, workload, other, **{figure: value}) for n, value in enumerate(theirs)]
    )


def test_ratios_are_of_the_same_round_and_judged_by_their_median():
    records = pair("burst", "sidecar", "direct", "server_cpu_us", [0.7, 7.0, 9.0], [1.0, 10.0, 10.0])
    verdict = judged(records)["burst", "server_cpu_us", "direct"]
    assert verdict.spread.median == 0.7
    assert verdict.holds


def test_deliveries_must_be_at_least():
    slow = pair("burst", "sidecar", "direct", "deliveries_per_second", [129.0], [100.0])
    assert not judged(slow)["burst", "deliveries_per_second", "direct"].holds


def test_the_native_layer_is_held_against_both_of_channels_redis():
    records = Records(
        [
            record(0, "group", "core", last_us=1000.0),
            record(0, "group", "layer", last_us=90.0),
            record(0, "group", "package", last_us=100.0),
        ]
    )
    found = judged(records)
    assert found["group", "last_us", "core"].holds
    assert not found["group", "last_us", "layer"].holds


def test_what_must_not_grow_with_the_members_is_compared_between_workloads():
    records = Records(
        [
            record(0, "bytes-10", "native", redis_bytes=500.0),
            record(0, "bytes-10000", "native", redis_bytes=700.0),
        ]
    )
    verdict = judged(records)["bytes-10000", "redis_bytes", "bytes-10"]
    assert verdict.spread.median == 1.4
    assert not verdict.holds


def test_a_lost_message_is_a_missed_requirement():
    records = Records([record(0, "single", "sidecar", faults=0), record(1, "single", "sidecar", faults=4)])
    assert not judged(records)["single", "faults", ""].holds


def test_every_need_is_of_something_that_is_run():
    contenders = {each.name: each.contenders for each in workloads.ALL} | {"micro": ("fan_out",)}
    for need in figures.NEEDS:
        assert need.subject in contenders[need.workload]
        assert need.other in {"", *contenders[need.workload], *contenders}


def test_the_text_names_what_is_missed_and_what_was_not_measured():
    records = pair("single", "sidecar", "direct", "server_cpu_us", [2.0], [1.0])
    text = report.text(records)
    assert next(line for line in text.splitlines() if line.startswith("single") and "CPU" in line).endswith(
        "MISSED"
    )
    assert "not measured: group" in text


def test_the_picture_is_an_svg_with_every_contender():
    records = pair("single", "sidecar", "direct", "server_cpu_us", [2.0], [1.0])
    root = ElementTree.fromstring(report.svg(records, "a < b"))
    words = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"single", "sidecar", "direct", "a < b"} <= words
