"""The growth of the store as a part of docs/benchmarks.md and as a picture."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.growth.history import A_YEAR, CHANGED

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, PICTURE = DOCS / "benchmarks.md", DOCS / "growth.svg"
HEADING = "## Growth"
TEXT = """\
## Growth

Written by `python -m benchmarks.growth --write` on {when}. An embedded PostgreSQL is filled with the history of 20
suites of 1,000 queries that run every hour, each probe with ten hits and six measures; {changed:.0%} of the rankings
change in every hour. The rows are written in bulk into the tables that the store writes: 500 hours of a month, which
are then repeated in the following months. Retention drops nothing
here: with its default of 90 days the rankings take at most those of four months. A year of this history has {year:,}
outcomes. Measured on {n_cpus} processors at a load average of {load:.0f}, so beside other work where that is more.

{table}

- **Cycle**: an unchanged cycle of 1,000 queries through `run_cycle` beside this history, with a retriever in the same
  process that answers at once.
- **Overview**: the latest 50 runs, as `recallwatch runs list` reads them.
- **Two runs**: the query differences of two runs, the oldest and the latest, as the dashboard reads them.
- **Memory**: the peak of the process that runs the cycles, without PostgreSQL.

![Size, cycle time, query times and memory against the number of stored outcomes](growth.svg)
"""
COLUMNS = (
    ("outcomes", "outcomes", "{:,.0f}", 1.0),
    ("database, GB", "gigabytes", "{:.2f}", 1.0),
    ("of it rankings, GB", "ranking_gigabytes", "{:.2f}", 1.0),
    ("bytes per outcome", "bytes_per_outcome", "{:.1f}", 1.0),
    ("without rankings", "bytes_without_rankings", "{:.1f}", 1.0),
    ("cycle, s", "cycle_s", "{:.2f}", 1.0),
    ("overview, ms", "overview_s", "{:.1f}", 1e3),
    ("one run, ms", "run_s", "{:.1f}", 1e3),
    ("two runs, ms", "compare_s", "{:.1f}", 1e3),
    ("memory, MB", "memory_mb", "{:.0f}", 1.0),
)
PANELS = (
    ("database, GB", "gigabytes", 1.0),
    ("cycle of 1,000 queries, s", "cycle_s", 1.0),
    ("query differences of two runs, ms", "compare_s", 1e3),
    ("memory, MB", "memory_mb", 1.0),
)
WIDTH, HEIGHT, MARGIN = 380, 220, 50

Rows = Sequence[dict[str, Any]]


def stored_part() -> str:
    """The part of the page as it is, for a page that is written again."""
    _, heading, after = PAGE.read_text(encoding="utf-8").partition(HEADING)
    return f"\n{heading}{after}" if heading else ""


def write(rows: Rows, when: date) -> None:
    """Replace the part of the page, and draw the picture."""
    page = PAGE.read_text(encoding="utf-8").partition(HEADING)[0].rstrip()
    PAGE.write_text(f"{page}\n\n{part(rows, when)}", encoding="utf-8")
    PICTURE.write_text(picture(rows), encoding="utf-8")


def part(rows: Rows, when: date) -> str:
    """The part of the page."""
    lines = [
        [name for name, *_ in COLUMNS],
        ["--:" for _ in COLUMNS],
        *([text.format(row[key] * factor) for _, key, text, factor in COLUMNS] for row in rows),
    ]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return TEXT.format(
        when=when, changed=CHANGED, year=A_YEAR, table=table, n_cpus=os.cpu_count(), load=os.getloadavg()[1]
    )


def picture(rows: Rows) -> str:
    """Four panels: size, cycle, page query and memory, each from zero, over a logarithmic history."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {2 * HEIGHT}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{2 * WIDTH}" height="{2 * HEIGHT}" fill="white"/>',
    ]
    for number, (title, key, factor) in enumerate(PANELS):
        values = [(row["outcomes"], row[key] * factor) for row in rows]
        parts += [
            f'<g transform="translate({number % 2 * WIDTH} {number // 2 * HEIGHT})">',
            *_panel(title, values),
            "</g>",
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(title: str, values: Sequence[tuple[float, float]]) -> list[str]:
    top = 1.2 * max(y for _, y in values)
    low, high = math.log(values[0][0]), math.log(max(values[-1][0], values[0][0] * 1.01))
    points = [
        (MARGIN + (math.log(x) - low) / (high - low) * (WIDTH - 2 * MARGIN), HEIGHT - MARGIN - y / top * (HEIGHT - 90))
        for x, y in values
    ]
    base = HEIGHT - MARGIN
    lines = [
        _text(MARGIN, 24, title, "start"),
        f'<line x1="{MARGIN}" y1="{base}" x2="{WIDTH - MARGIN}" y2="{base}" stroke="#999"/>',
        f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" stroke="#1b6ca8"/>',
    ]
    for (x, y), (amount, value) in zip(points, values, strict=True):
        lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#1b6ca8"/>')
        lines.append(_text(x, y - 8, f"{value:.3g}", "middle"))
        lines.append(_text(x, base + 18, f"{amount / 1e6:g} M", "middle"))
    return lines


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
