"""Plot the study: change on our side against change on the public side, one panel for each comparison."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.validity.agreement import agreement
from benchmarks.validity.scores import COMPARISONS
from benchmarks.validity.study import Study

PANEL, GAP, MARGIN = 220, 70, 60
TOP = 40
COLOURS = {
    "null": "#555555", "adapter": "#1f77b4", "fine-tuned": "#d62728", "static": "#2ca02c", "pruned": "#9467bd",
    "pooling": "#8c564b", "compressed": "#ff7f0e",
}  # fmt: skip


def scatter(study: Study) -> str:
    """The plot as SVG; both axes of a panel have the same scale, and the line marks equal changes."""
    width = 2 * MARGIN + len(COMPARISONS) * PANEL + (len(COMPARISONS) - 1) * GAP
    height = TOP + PANEL + 90
    parts = [part for at in range(len(COMPARISONS)) for part in _panel(study, at)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
            'font-size="12" fill="#222222">',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            *parts,
            *_legend(height - 16),
            "</svg>\n",
        ]
    )


def _panel(study: Study, at: int) -> Iterator[str]:
    ours, theirs = COMPARISONS[at]
    points = [(100 * swap.changes[theirs], 100 * swap.changes[ours], swap) for swap in study.swaps]
    values = [value for x, y, _ in points for value in (x, y, 0.0)]
    spread = max(values) - min(values) or 1.0
    low, high = min(values) - 0.08 * spread, max(values) + 0.08 * spread
    left = MARGIN + at * (PANEL + GAP)

    def across(value: float) -> float:
        return left + PANEL * (value - low) / (high - low)

    def down(value: float) -> float:
        return TOP + PANEL * (high - value) / (high - low)

    rho = agreement(ours, theirs, study.changes).rho
    yield f'<text x="{left}" y="{TOP - 12}">rank correlation {rho:.2f}</text>'
    yield f'<rect x="{left}" y="{TOP}" width="{PANEL}" height="{PANEL}" fill="none" stroke="#999999"/>'
    yield _line(across(low), down(low), across(high), down(high), "4 3")
    yield _line(across(0), TOP, across(0), TOP + PANEL)
    yield _line(left, down(0), left + PANEL, down(0))
    # By their labels: the greatest change is often none at all.
    ticks = {f"{value:.0f}": value for value in (min(values), max(values), 0)}
    yield from (_tick(left, across(value), label, below=True) for label, value in ticks.items())
    yield from (_tick(left, down(value), label, below=False) for label, value in ticks.items())
    yield f'<text x="{left + PANEL / 2}" y="{TOP + PANEL + 34}" text-anchor="middle">{theirs}, points</text>'
    middle = TOP + PANEL / 2
    yield (
        f'<text x="{left - 34}" y="{middle}" text-anchor="middle" '
        f'transform="rotate(-90 {left - 34} {middle})">{ours}, points</text>'
    )
    for x, y, swap in points:
        yield (
            f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="4" fill="{COLOURS[swap.kind]}" fill-opacity="0.8">'
            f"<title>{swap.name}: {x:+.1f}, {y:+.1f}</title></circle>"
        )


def _line(x1: float, y1: float, x2: float, y2: float, dashes: str = "none") -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#cccccc" stroke-dasharray="{dashes}"/>'
    )


def _tick(left: float, place: float, label: str, *, below: bool) -> str:
    if below:
        return f'<text x="{place:.1f}" y="{TOP + PANEL + 16}" text-anchor="middle">{label}</text>'
    return f'<text x="{left - 6}" y="{place + 4:.1f}" text-anchor="end">{label}</text>'


def _legend(y: float) -> Iterator[str]:
    for number, (kind, colour) in enumerate(COLOURS.items()):
        x = MARGIN + number * 120
        yield f'<circle cx="{x}" cy="{y - 4}" r="4" fill="{colour}"/><text x="{x + 10}" y="{y}">{kind}</text>'
