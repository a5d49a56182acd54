"""Power of a look after little and after much churn, at the first and at later looks of a year (§3.7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.study.generator import DOCUMENTS, EASE, RECALL, shift_of
from benchmarks.study.runs import measured
from benchmarks.study.scenarios import CHURN, CLUSTER, SHARED, suite_of
from benchmarks.study.table import Table, percent
from monitor.decision.comparison import compare, pair_all
from monitor.decision.judgement import has_fallen, mark
from monitor.model.measurements import Floats
from monitor.model.policies import Policy
from monitor.model.suites import Axis
from monitor.model.verdicts import Evidence
from monitor.statistics.error_budget import alpha_of_silent_look

SWAPS = ((0.08, 200), (0.20, 200), (0.05, 1_000), (0.08, 1_000))
LOOKS = (1, 13, 30, 100, 365)
WEEK, YEAR = 168, 8_760
POLICY = Policy(gating={Axis.BROAD: (RECALL,)}, resamples=199)
"""p-values up to 10/200 are computed without flips, so that few flips are enough for one hypothesis."""
Judged = tuple[list[Evidence], list[Evidence]]


def powers(repetitions: int, seed: int) -> Iterator[Table]:
    """Power by look of the year, then by age of the baseline."""
    judged = {
        (*swap, hours): [
            _judged(*swap, hours, np.random.default_rng([seed, 3, repetition])) for repetition in range(repetitions)
        ]
        for swap in (*SWAPS, (0.0, 200), (0.0, 1_000))
        for hours in (WEEK, YEAR)
    }
    setting = (
        f"Clusters of five, churn of {CHURN:.0%} of the queries an hour since the baseline, then a silent swap that "
        "changes what is found of every query. "
    )
    yield Table(
        "Power at the n-th silent look of a year (§3.7)",
        f"{setting}Share paged in week one (hour {WEEK}), by the number of the look.",
        ("", *(f"look {number} (α {_alpha(number):.2g})" for number in LOOKS)),
        [
            [_name(*swap), *(percent(_paged(judged[*swap, WEEK], number)) for number in LOOKS)]
            for swap in (*SWAPS, (0.0, 200), (0.0, 1_000))
        ],
        seed,
        repetitions,
        after="The first ten looks have the same level. Learning the churn takes about twelve, so that the 13th is the "
        "next one of a churning target. Later ones share the other half of the budget, and few drops on 200 queries "
        "can be proven at the level of the hundredth.",
    )
    yield Table(
        "Power after a year of churn (§2b, §3.7)",
        f"{setting}At the level of the first look: share paged by the rule, and by one test at half the level, against "
        f"the run before and against the pinned baseline; in week one (hour {WEEK}) and after a year (hour {YEAR:,}).",
        (
            "",
            "rule, week one",
            "rule, a year",
            "run before, week one",
            "run before, a year",
            "kept",
            "pinned, week one",
            "pinned, a year",
        ),
        [_row(swap, judged[*swap, WEEK], judged[*swap, YEAR]) for swap in SWAPS],
        seed,
        repetitions,
        after="“Kept” is the power against the run before after a year as a share of that of week one; at least 90 % "
        "is asked for. The same queries are drawn for both.",
    )


def _row(swap: tuple[float, int], week: Sequence[Judged], year: Sequence[Judged]) -> list[str]:
    before, after = _significant(week, 1), _significant(year, 1)
    pinned = [percent(_significant(judged, 0)) for judged in (week, year)]
    rule = [percent(_paged(judged, 1)) for judged in (week, year)]
    kept = percent(after / before) if before else "–"
    return [_name(*swap), *rule, percent(before), percent(after), kept, *pinned]


def _name(drop: float, n_queries: int) -> str:
    return f"−{drop:.0%} on {n_queries:,} queries" if drop else f"no drop, {n_queries:,} queries"


def _alpha(number: int) -> float:
    return alpha_of_silent_look(number, alpha_page=POLICY.alpha_page, alpha_year=POLICY.alpha_year)


def _paged(judged: Sequence[Judged], number: int) -> float:
    """Share of the swaps that the rule pages at this look of the year."""
    policy = replace(POLICY, alpha_page=_alpha(number))
    return float(np.mean([any(each.fallen for each in mark(pinned, step, policy)) for pinned, step in judged]))


def _significant(judged: Sequence[Judged], which: int) -> float:
    """Share in which one of the two comparisons alone finds a fall at half the level of the first look."""
    policy = replace(POLICY, alpha_page=_alpha(1) / 2)
    return float(np.mean([any(has_fallen(each, policy) for each in evidence[which]) for evidence in judged]))


def _judged(drop: float, n_queries: int, hours: int, rng: np.random.Generator) -> Judged:
    """Evidence against the pinned baseline and against the run before, for one swap after so many hours of churn."""
    difficulty = rng.normal(size=(n_queries, 1)) + rng.normal(size=(n_queries, DOCUMENTS))
    own = [np.sqrt(1 - SHARED) * rng.normal(size=(n_queries, DOCUMENTS)) for _ in range(3)]
    common = [
        np.sqrt(SHARED) * np.repeat(rng.normal(size=(n_queries // CLUSTER, 1)), CLUSTER, axis=0) for _ in range(2)
    ]
    churned = rng.random((n_queries, 1)) < 1 - (1 - CHURN) ** hours
    baseline = difficulty + own[0] + common[0]
    before = difficulty + np.where(churned, own[1], own[0]) + common[0]
    after = difficulty + own[2] + common[1] - shift_of(RECALL, drop)
    of = replace(suite_of(n_queries), digest=f"{n_queries}")
    runs = [
        measured(of, {RECALL: _recall(strength)}, run_id=run_id)
        for run_id, strength in (("baseline", baseline), ("before", before), ("after", after))
    ]
    pinned, step = (compare(pair_all([(run, runs[2])], POLICY), POLICY, rng=rng) for run in runs[:2])
    return pinned, step


def _recall(strength: Floats) -> Floats:
    return np.asarray((strength + EASE > 0).mean(axis=1))
