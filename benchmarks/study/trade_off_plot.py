"""The picture of the trade-off: ``python -m benchmarks.study.trade_off_plot`` draws docs/trade-off.svg.

It reads the published tables of real verdicts, so that the picture shows what the page says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, PLOT = DOCS / "statistics-study.md", DOCS / "trade-off.svg"
TRADE_OFFS, HARMLESS = "Real verdicts: trade-offs", "Real verdicts: harmless swaps"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 430, 70, 30, 50, 60
LOWEST, HIGHEST, LEAST, MOST = -14.0, 4.0, -0.04, 0.27
RED, GREEN, GREY = "#c0392b", "#2e8b57", "#555555"


@dataclass(frozen=True, slots=True)
class Swap:
    """A real swap: its change of broad nDCG@10 in points and of separation in standard deviations, and its verdict."""

    name: str
    broad: float
    separation: float
    error: float
    """Half of the 95 % interval of the separation; 0 where it is not published."""
    verdict: str


def swaps(page: str) -> Iterator[Swap]:
    """The swaps in the tables of real verdicts of the page."""
    for title, broad, separation in ((TRADE_OFFS, 1, 4), (HARMLESS, 2, 4)):
        for cells in _rows(page, title):
            change, t = _numbers(cells[separation])
            error = 1.96 * abs(change / t) if t else 0.0
            yield Swap(cells[0], _numbers(cells[broad])[0], change, error, cells[-2])


def plot(points: list[Swap]) -> str:
    """The scatter plot with intervals and named quadrants."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="13" role="img" aria-label="Eight tuned models gain structure and lose broad retrieval; ten '
        'harmless swaps do neither">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *_axes(),
    ]
    for swap in points:
        x, y = _at(swap.broad, swap.separation)
        colour = RED if swap.verdict == "trade_off" else GREEN
        if swap.error:
            low, high = (_at(swap.broad, swap.separation + sign * swap.error)[1] for sign in (-1, 1))
            parts.append(f'<line x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}" stroke="{colour}"/>')
        label = f"{swap.name}: {swap.verdict}"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"><title>{escape(label)}</title></circle>')
    return "\n".join([*parts, *_legend(points), "</svg>"]) + "\n"


def _axes() -> Iterator[str]:
    zero_x, zero_y = _at(0.0, 0.0)
    height = zero_y - TOP
    for left, right, colour in ((LEFT, zero_x, "#fdecea"), (zero_x, WIDTH - RIGHT, "#eaf6ee")):
        yield f'<rect x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" height="{height:.1f}" fill="{colour}"/>'
    for points in range(-10, 1, 5):
        x, y = _at(points, LEAST)
        yield f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{y:.1f}" stroke="{GREY if points == 0 else "#dddddd"}"/>'
        yield _text(x, y + 18, f"{points:+d}" if points else "0", "middle")
    for hundredths in range(0, 25, 5):
        x, y = _at(LOWEST, hundredths / 100)
        colour = GREY if hundredths == 0 else "#dddddd"
        yield f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="{colour}"/>'
        yield _text(x - 8, y + 4, f"{hundredths / 100:+.2f}" if hundredths else "0", "end")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, "change of broad nDCG@10, points", "middle")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield (
        f'<text x="18" y="{middle}" text-anchor="middle" transform="rotate(-90 18 {middle})">'
        "change of separation, standard deviations</text>"
    )
    yield _text(LEFT + 12, TOP + 22, "structure up, broad down: TRADE_OFF, roll back", "start", RED)
    yield _text(WIDTH - RIGHT - 8, TOP + 22, "both up", "end", GREEN)


def _legend(points: list[Swap]) -> Iterator[str]:
    tuned = sum(swap.verdict == "trade_off" for swap in points)
    passed = sum(swap.verdict == "passed" for swap in points)
    entries = ((RED, f"{tuned} models tuned for structure: trade_off"), (GREEN, f"{passed} harmless swaps: passed"))
    for number, (colour, text) in enumerate(entries):
        x = LEFT + 5 + 320 * number
        yield f'<circle cx="{x}" cy="24" r="5" fill="{colour}"/>'
        yield _text(x + 12, 28, text, "start")


def _at(broad: float, separation: float) -> tuple[float, float]:
    across, up = (broad - LOWEST) / (HIGHEST - LOWEST), (separation - LEAST) / (MOST - LEAST)
    return LEFT + across * (WIDTH - LEFT - RIGHT), TOP + (1 - up) * (HEIGHT - TOP - BOTTOM)


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#222222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _rows(page: str, title: str) -> Iterator[list[str]]:
    section = page.partition(f"## {title}")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def _numbers(cell: str) -> tuple[float, float]:
    """The number of a cell, and the one in brackets; 0 without one."""
    first, *more = map(float, re.findall(r"[+-]?\d+\.?\d*", cell))
    return first, more[0] if more else 0.0


if __name__ == "__main__":
    PLOT.write_text(plot(list(swaps(PAGE.read_text(encoding="utf-8")))), encoding="utf-8")
