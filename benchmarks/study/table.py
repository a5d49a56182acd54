"""A table of the study: our figures beside the specification's, with seed, repetitions and Monte Carlo error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """One table, ready to be printed."""

    title: str
    prose: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    seed: int
    repetitions: int
    error: str = ""
    """Monte Carlo error, said for this table; else that of a share of one half."""
    after: str = ""
    """What follows from it."""


def markdown(table: Table) -> str:
    """The table as a section of a page."""
    lines = [table.headings, ["---", *["--:"] * (len(table.headings) - 1)], *table.rows]
    grid = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    error = table.error or f"two standard errors are at most {200 * worst_error(table.repetitions):.1f} points"
    parts = [
        f"## {table.title}",
        table.prose,
        grid,
        f"Seed {table.seed}; {table.repetitions:,} repetitions; {error}.",
        table.after,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def percent(share: float, repetitions: int = 0) -> str:
    """A share in per cent, with two standard errors where the number of repetitions is told."""
    digits = 1 if share < 0.0995 or share > 0.9905 else 0
    text = f"{100 * share:.{digits}f} %"
    if not repetitions:
        return text
    return f"{text} ± {200 * max(math.sqrt(share * (1 - share) / repetitions), 0.5 / repetitions):.1f}"


def worst_error(repetitions: int) -> float:
    """Standard error of a share of one half."""
    return math.sqrt(0.25 / repetitions)
