"""The figures as text, JSON and a picture."""

import json

from bench.channels import figures
from bench.proxy import picture
from bench.proxy.figures import Spread

COLUMNS = (  # figure, heading, divisor, form
    ("server_cpu_us", "server us", 1, ".2f"),
    ("redis_message_us", "Redis us/msg", 1, ".1f"),
    ("load_cpu_us", "load us", 1, ".2f"),
    ("deliveries_per_second", "k deliv./s", 1000, ".1f"),
    ("p50_us", "p50 ms", 1000, ".2f"),
    ("p99_us", "p99 ms", 1000, ".2f"),
    ("last_us", "last ms", 1000, ".2f"),
    ("redis_bytes", "Redis B/msg", 1, ".0f"),
    ("faults", "faults", 1, ".0f"),
)
PANELS = (
    ("server_cpu_us", "CPU of the server, us a delivery", 1),
    ("deliveries_per_second", "thousand deliveries a second", 1000),
    ("last_us", "until the last has it, ms", 1000),
    ("redis_bytes", "bytes through Redis a message", 1),
)


def absolute(records):
    yield f"{'workload':<14}{'contender':<10}" + "".join(f"{head:>13}" for _, head, _, _ in COLUMNS)
    for workload in records.workloads:
        for contender in records.contenders:
            if not records.values(workload, contender, "server_cpu_us"):
                continue
            cells = ""
            for figure, _, divisor, form in COLUMNS:
                value = records.median(workload, contender, figure)
                cells += f"{'-' if value is None else format(value / divisor, form):>13}"
            yield f"{workload:<14}{contender:<10}{cells}"


def required(verdicts):
    yield f"{'workload':<14}{'of':<9}{'figure':<26}{'required':<18}{'median':>9}   quartiles"
    for each in verdicts:
        need, spread = each.need, each.spread
        yield (
            f"{need.workload:<14}{need.subject:<9}{need.words:<26}{need!s:<18}{spread.median:>9.3f}   "
            f"{f'{spread.low:.3f}-{spread.high:.3f}':<16}{'ok' if each.holds else 'MISSED'}"
        )


def text(records):
    judged = list(figures.verdicts(records))
    held = sum(each.holds for each in judged)
    parts = [*absolute(records), "", "CPU is of one delivery; ratios are of the same round.", ""]
    parts += [*required(judged), f"{held} of {len(judged)} hold"]
    unmeasured = [need for need in figures.NEEDS if need.spread(records) is None]
    parts += [f"not measured: {need.workload}, {need.words}" for need in unmeasured]
    return "\n".join(parts)


def save(path, raw, conditions, records):
    document = {
        **conditions,
        "required": [
            {
                "workload": each.need.workload,
                "of": each.need.subject,
                "figure": each.need.words,
                "required": str(each.need),
                "median": each.spread.median,
                "quartiles": [each.spread.low, each.spread.high],
                "rounds": each.spread.count,
                "holds": each.holds,
            }
            for each in figures.verdicts(records)
        ],
        "raw": raw,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")


def drawn_rows(records):
    """The rows of the picture and the height they end at."""
    drawn, y = [], picture.TOP
    for workload in records.workloads:
        present = [each for each in records.contenders if records.values(workload, each, "server_cpu_us")]
        if not present:
            continue
        drawn.append(picture.text(picture.LEFT - 10, y + picture.BAR, workload, 12, "end", "bold"))
        for place, contender in enumerate(present):
            top = y + (place + 1) * (picture.BAR + picture.BAR_GAP)
            drawn.append(picture.text(picture.LEFT - 10, top + picture.BAR - 3, contender, 10, "end"))
        for column, (figure, _, unit) in enumerate(PANELS):
            values = {each: records.values(workload, each, figure) for each in present}
            spreads = {each: Spread.of(found) if found else None for each, found in values.items()}
            if any(spread and spread.high for spread in spreads.values()):
                x = picture.LEFT + column * (picture.PANEL + picture.GAP)
                drawn += picture.bars(spreads, x, y + picture.BAR + picture.BAR_GAP, unit)
        y += (len(present) + 1) * (picture.BAR + picture.BAR_GAP) + picture.ROW_GAP
    return drawn, y


def svg(records, title):
    drawn, height = drawn_rows(records)
    width = picture.LEFT + len(PANELS) * (picture.PANEL + picture.GAP)
    head = [picture.rectangle(0, 0, width, height, "white")]
    head.append(picture.text(picture.LEFT, 20, title, 13, weight="bold"))
    for column, (_, heading, _) in enumerate(PANELS):
        x = picture.LEFT + column * (picture.PANEL + picture.GAP)
        head.append(picture.text(x, picture.TOP - 10, heading, 11, weight="bold"))
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
    return "\n".join([f'{opening} font-family="sans-serif">', *head, *drawn, "</svg>"]) + "\n"
