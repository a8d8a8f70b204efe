"""A run as one SVG: a row for each workload, a bar for each contender, whiskers at the quartiles."""

from html import escape

from bench.proxy.figures import Spread

COLOURS = {
    "sidecar": "#1b6ca8",
    "direct": "#7a7a7a",
    "nutcracker": "#c8553d",
    "haproxy": "#e0a458",
    "floor": "#8fb996",
}
OTHER_BUILDS = "#5fa8d3"
PANELS = (
    ("proxy_cpu_us", "proxy CPU, us per command", 1),
    ("redis_cpu_us", "Redis's CPU, us per command", 1),
    ("rps", "throughput, thousand commands/s", 1000),
    ("p99_us", "p99, ms", 1000),
)
LEFT, PANEL, GAP = 110, 250, 20
TOP, BAR, BAR_GAP, ROW_GAP = 70, 13, 3, 20
LABEL = 52  # at the right of a panel, for the figure itself


def text(x, y, words, size=11, anchor="start", weight="normal", colour="#222"):
    style = f'font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'


def rectangle(x, y, width, height, colour):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def whisker(x_low, x_high, y):
    return f'<path d="M{x_low:.1f} {y:.1f}H{x_high:.1f}" stroke="#222" stroke-width="1.2" fill="none"/>'


def figure_text(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def bars(spreads, x, y, unit):
    """One panel of one workload, in a scale of its own. Without a figure (Redis has no proxy) no bar."""
    scale = (PANEL - LABEL) / max(spread.high for spread in spreads.values() if spread)
    for place, (contender, spread) in enumerate(spreads.items()):
        if spread:
            top = y + place * (BAR + BAR_GAP)
            yield rectangle(x, top, spread.median * scale, BAR, COLOURS.get(contender, OTHER_BUILDS))
            yield whisker(x + spread.low * scale, x + spread.high * scale, top + BAR / 2)
            yield text(x + PANEL - LABEL + 6, top + BAR - 3, figure_text(spread.median / unit), 10)


def legend(contenders):
    x = LEFT
    for contender in contenders:
        yield rectangle(x, 30, 12, 12, COLOURS.get(contender, OTHER_BUILDS))
        yield text(x + 17, 40, contender)
        x += 40 + 7 * len(contender)


def rows(records):
    """The drawn rows and the height they end at."""
    drawn, y = [], TOP
    for workload in records.workloads:
        present = [each for each in records.contenders if records.values(workload, each, "rps")]
        drawn.append(text(LEFT - 10, y + BAR, workload, 12, "end", "bold"))
        for column, (figure, _, unit) in enumerate(PANELS):
            values = {each: records.values(workload, each, figure) for each in present}
            spreads = {each: Spread.of(found) if found else None for each, found in values.items()}
            if any(spreads.values()):
                drawn += bars(spreads, LEFT + column * (PANEL + GAP), y, unit)
        y += len(present) * (BAR + BAR_GAP) + ROW_GAP
    return drawn, y


def caption(records, conditions):
    machine = conditions["machine"]
    return (
        f"Medians of {len(records.rounds)} rounds, whiskers at the quartiles; "
        f"{machine['cores']} cores, {machine['cpu']}, Linux {machine['kernel']}"
    )


def svg(records, title):
    drawn, height = rows(records)
    width = LEFT + len(PANELS) * (PANEL + GAP)
    head = [rectangle(0, 0, width, height, "white"), text(LEFT, 20, title, 13, weight="bold")]
    head += legend(records.contenders)
    head += [
        text(LEFT + column * (PANEL + GAP), TOP - 10, heading, 11, weight="bold")
        for column, (_, heading, _) in enumerate(PANELS)
    ]
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
    return "\n".join([f'{opening} font-family="sans-serif">', *head, *drawn, "</svg>"]) + "\n"
