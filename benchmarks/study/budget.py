"""Several harmless silent swaps a year: how often a rule pages falsely (§3.7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from benchmarks.study.generator import MRR, Swap, deployments, paired
from benchmarks.study.table import Table, percent
from monitor.decision.comparison import compare
from monitor.decision.judgement import mark
from monitor.model.measurements import Floats
from monitor.model.policies import Policy
from monitor.model.verdicts import Evidence
from monitor.statistics.error_budget import alpha_of_silent_look

N_QUERIES, CLUSTER, SHARED = 200, 5, 0.14
SWAPS = (1, 4, 12, 52)
POLICY = Policy(resamples=199)
"""p-values up to 10/200 are computed without flips, so that few flips are enough for one hypothesis."""
NO_FLOORS = replace(POLICY, floor_absolute=0.0, floor_relative=0.0)
Step = tuple[list[Evidence], list[Evidence]]


def _shipped(number: int) -> float:
    return alpha_of_silent_look(number, alpha_page=POLICY.alpha_page, alpha_year=POLICY.alpha_year)


LEVELS: dict[str, tuple[Callable[[int], float], Policy]] = {
    "5 % each time": (lambda _: 0.05, POLICY),
    "1 % each time": (lambda _: 0.01, POLICY),
    "recallwatch": (_shipped, POLICY),
    "recallwatch without floors": (_shipped, NO_FLOORS),
}


def spending(repetitions: int, seed: int) -> Table:
    """P(any false page in a year) by number of harmless swaps."""
    years = [_year(np.random.default_rng([seed, repetition])) for repetition in range(repetitions)]
    paged = {name: np.array([_pages(year, *rule) for year in years]) for name, rule in LEVELS.items()}
    rows = [
        [
            f"{count}",
            f"{100 * _shipped(count):.2g} %",
            *(percent(float(pages[:, :count].any(axis=1).mean()), repetitions) for pages in paged.values()),
        ]
        for count in SWAPS
    ]
    return Table(
        "Several harmless swaps a year (§3.7)",
        f"{MRR} on {N_QUERIES} queries in clusters of five; each swap changes what is found of every query and is "
        "neither better nor worse than the first. It is tested against the run before it and against the pinned "
        "baseline by the shipped rule (`mark`), at each of these levels: the probability of any false page in a year. "
        "No change is free: each spends its level, whether or not anything fell.",
        ("swaps", "α of the last look", *LEVELS),
        rows,
        seed,
        repetitions,
    )


def _year(rng: np.random.Generator) -> list[Step]:
    """Evidence of each swap of a year, against the pinned baseline and against the run before."""
    runs = deployments(1 + SWAPS[-1], N_QUERIES, rng, measure=MRR, cluster_size=CLUSTER, shared=SHARED)
    return [(_compare(runs[0], now, rng), _compare(before, now, rng)) for before, now in pairwise(runs)]


def _compare(before: Floats, after: Floats, rng: np.random.Generator) -> list[Evidence]:
    return compare([paired(Swap(before[None], after[None]), cluster_size=CLUSTER, measure=MRR)], POLICY, rng=rng)


def _pages(year: Sequence[Step], alpha: Callable[[int], float], policy: Policy) -> list[bool]:
    return [
        any(each.fallen for each in mark(pinned, step, replace(policy, alpha_page=alpha(number))))
        for number, (pinned, step) in enumerate(year, start=1)
    ]
