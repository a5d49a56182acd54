"""The calibration as a page with a table, and as a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.validity.agreement import rank_correlation

BEYOND = 0.02
"""Public changes beyond this size must have the same sign in the broad suite."""
STYLE = "style: "
_HEAD = """# Calibration of the broad suite

How much nDCG@10 changes on the suite `broad` and on public questions under the same swaps, in points. Written by
`python -m benchmarks.calibration --write`; `--quick` leaves adapters out, `--late-interaction` adds MaxSim and
`--verdicts` the verdicts. The swaps were fixed before any measurement (`benchmarks/calibration/swaps.py`). This page
has the swaps of `--quick`. The baseline is exact search with all-MiniLM-L6-v2. Public is the mean of xquad-en
and pubmedqa.

![Changes on the broad suite against the mean of the public sets](calibration.svg)

"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Changes of one swap in points of nDCG@10, and the verdict if it was asked for."""

    name: str
    family: str
    broad: float
    public: tuple[float, ...]
    strata: Mapping[str, float]
    verdict: str


def page(rows: Sequence[Row]) -> str:
    """The page in Markdown."""
    baseline, *swaps = rows
    return "\n".join([_HEAD, *_goals(swaps), "", *_table(baseline, swaps), "", *_styles(baseline, swaps), ""])


def _goals(swaps: Sequence[Row]) -> list[str]:
    ours = [row.broad for row in swaps]
    public = [_public(row) for row in swaps]
    slope = float(np.polyfit(public, ours, 1)[0])
    through_zero = float(np.dot(public, ours) / np.dot(public, public))
    beyond = [row for row in swaps if abs(_public(row)) >= BEYOND]
    against = [row.name for row in beyond if row.broad * _public(row) <= 0]
    each = [rank_correlation(ours, [row.public[place] for row in swaps]) for place in range(2)]
    among = rank_correlation(*([row.public[place] for row in swaps] for place in range(2)))
    signs = f"not so for: {', '.join(against)}" if against else "so for all"
    rho = rank_correlation(ours, public)
    return [
        f"- Rank correlation with public over {len(swaps)} swaps: **{rho:.2f}** (goal: 0.9).",
        f"- With each public set: {each[0]:.2f} (xquad-en), {each[1]:.2f} (pubmedqa); between the two: {among:.2f}.",
        f"- Same sign where public moves by {100 * BEYOND:.0f} points or more ({len(beyond)} swaps): {signs}.",
        f"- Slope of broad on public: {slope:.2f}; through zero: {through_zero:.2f} (goal: 0.5 to 2).",
        "- chunking-evaluation, fine-tuned models, other pooling and fewer layers are not part of this table.",
    ]


def _table(baseline: Row, swaps: Sequence[Row]) -> list[str]:
    lines = [
        "| swap | family | broad | xquad-en | pubmedqa | public | verdict |",
        "| --- | --- | --: | --: | --: | --: | --- |",
        f"| (baseline) | | {baseline.broad:.3f} | {baseline.public[0]:.3f} | {baseline.public[1]:.3f} | | |",
    ]
    return lines + [
        f"| {row.name} | {row.family} | {_points(row.broad)} | {_points(row.public[0])} | {_points(row.public[1])} | "
        f"{_points(_public(row))} | {row.verdict.replace('_', ' ') or '–'} |"
        for row in swaps
    ]


def _styles(baseline: Row, swaps: Sequence[Row]) -> list[str]:
    names = [name for name in baseline.strata if name.startswith(STYLE)]
    return [
        "## By style",
        "",
        f"| swap | {' | '.join(name.removeprefix(STYLE) for name in names)} |",
        f"| --- | {' | '.join('--:' for _ in names)} |",
        f"| (baseline) | {' | '.join(f'{baseline.strata[name]:.3f}' for name in names)} |",
        *(f"| {row.name} | {' | '.join(_points(row.strata[name]) for name in names)} |" for row in swaps),
    ]


def plot(rows: Sequence[Row]) -> str:
    """Broad against public as SVG; the line marks equal changes."""
    swaps = rows[1:]
    values = [100 * value for row in swaps for value in (row.broad, _public(row))] + [0.0]
    low, high = min(values) - 3, max(values) + 3
    ticks = (low, 0.0, high)
    size, left, top = 420, 60, 20

    def across(value: float) -> float:
        return left + size * (value - low) / (high - low)

    def down(value: float) -> float:
        return top + size * (high - value) / (high - low)

    dots = [
        f'<circle cx="{across(100 * _public(row)):.1f}" cy="{down(100 * row.broad):.1f}" r="4" fill="#1f77b4" '
        f'fill-opacity="0.7"><title>{row.name}</title></circle>'
        for row in swaps
    ]
    lines = [
        f'<line x1="{across(low)}" y1="{down(low)}" x2="{across(high)}" y2="{down(high)}" stroke="#bbbbbb"/>',
        f'<line x1="{across(0)}" y1="{top}" x2="{across(0)}" y2="{top + size}" stroke="#dddddd"/>',
        f'<line x1="{left}" y1="{down(0)}" x2="{left + size}" y2="{down(0)}" stroke="#dddddd"/>',
    ]
    words = [
        f'<text x="{left + size / 2}" y="{top + size + 30}" text-anchor="middle">public, points of nDCG@10</text>',
        f'<text x="18" y="{top + size / 2}" text-anchor="middle" '
        f'transform="rotate(-90 18 {top + size / 2})">broad, points of nDCG@10</text>',
        *(f'<text x="{across(v):.0f}" y="{top + size + 14}" text-anchor="middle">{v:.0f}</text>' for v in ticks),
        *(f'<text x="{left - 4}" y="{down(v) + 4:.0f}" text-anchor="end">{v:.0f}</text>' for v in ticks),
    ]
    frame = f'<rect x="{left}" y="{top}" width="{size}" height="{size}" fill="none" stroke="#999999"/>'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + size + 20} {top + size + 44}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#ffffff"/>'
    )
    return "\n".join([head, *lines, frame, *dots, *words, "</svg>\n"])


def _public(row: Row) -> float:
    return float(np.mean(row.public))


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"
