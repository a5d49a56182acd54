"""How often the intervals of attributed shares hold the planted shares, and how wide they are.

    python -m benchmarks.attributing [SIMULATIONS]

Each scenario plants a loss of retrieval, of generation or of both in simulated clusters of queries, as
`tests/statistical/test_attribution.py` does. The live scores have a bias that a replay does not reproduce.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np

from monitor.diagnosis.attribution import Attribution, Component, from_replay
from tests.statistical.test_attribution import SCENARIOS, Planted, observe, replay

SIMULATIONS = 12_000
METHODS = ("two runs", "replay, new generator", "replay, both generators")
CLUSTERS = (15, 40)
RETRIEVAL, GENERATION = Component.RETRIEVAL, Component.GENERATION
OLD, NEW_GENERATOR = frozenset[Component](), frozenset({GENERATION})
NEW = NEW_GENERATOR | {RETRIEVAL}
NEW_CONTEXTS = frozenset({RETRIEVAL})


class Row(NamedTuple):
    """One scenario: the shares of simulations whose interval holds the planted share, and mean widths in points."""

    method: str
    scenario: str
    clusters: int
    held: tuple[float, float]
    widths: tuple[float, float]


def replayed(planted: Planted, rng: np.random.Generator, clusters: int, *, both: bool) -> Attribution:
    """One simulated replay with the new generator, or with both."""
    cells, cluster = replay(planted, rng, clusters, is_binary=True)
    effects = [cells[NEW] - cells[NEW_GENERATOR]]
    if both:
        effects.append(cells[NEW_CONTEXTS] - cells[OLD])
    return from_replay(cells[OLD], cells[NEW], effects, cluster)


def row(method: str, scenario: str, clusters: int, simulations: int) -> Row:
    """One row of the table."""
    planted = SCENARIOS[scenario]
    held, widths = np.zeros(2), np.zeros(2)
    for seed in range(simulations):
        rng = np.random.default_rng(seed)
        if method == "two runs":
            found, truth = observe(planted, rng, clusters, is_binary=True), planted.observed
        else:
            found = replayed(planted, rng, clusters, both=method == "replay, both generators")
            truth = planted.observed if method == "replay, both generators" else planted.path
        for at, (share, true) in enumerate(zip(found.shares[:2], truth, strict=True)):
            held[at] += share.lower <= true <= share.upper
            widths[at] += share.upper - share.lower
    return Row(method, scenario, clusters, tuple(held / simulations), tuple(100 * widths / simulations))


def table(simulations: int) -> str:
    """The table in Markdown."""
    lines = [
        "| method | planted | clusters | retrieval held | generation held | width of retrieval | width of generation |",
        "|---|---|---|---|---|---|---|",
    ]
    for method in METHODS:
        for scenario in SCENARIOS:
            for clusters in CLUSTERS:
                each = row(method, scenario, clusters, simulations)
                cells = [f"{value:.1%}".replace("%", " %") for value in each.held]
                cells += [f"{value:.1f} points" for value in each.widths]
                lines.append(" | ".join(("| " + method, scenario, str(clusters), *cells)) + " |")
                sys.stderr.write(lines[-1] + "\n")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table(int(sys.argv[1]) if len(sys.argv) > 1 else SIMULATIONS) + "\n")
