"""Power and minimum detectable effect of the sign-flip test, and how often the intervals hold the truth (§3.6)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from scipy import stats

from benchmarks.study.generator import MRR, RECALL, paired, swap
from benchmarks.study.table import Table, percent
from monitor.model.measurements import Floats
from monitor.statistics.exact_p_values import sign_flip_p
from monitor.statistics.power import detectable_drop
from monitor.statistics.significance import interval, standard_error

ALPHA = 0.05
SIZES = (50, 200, 1_000)
POWER = {
    (RECALL, 0.0): ("–", "–", "–"),
    (MRR, 0.0): ("–", "–", "–"),
    (RECALL, 0.02): ("9", "20", "57"),
    (RECALL, 0.05): ("23", "60", "99.6"),
    (RECALL, 0.08): ("41", "90", "100"),
    (RECALL, 0.20): ("96", "100", "100"),
    (MRR, 0.05): ("20", "42", "94"),
    (MRR, 0.08): ("30", "76", "99.8"),
}
"""The specification's power, in per cent, at 50, 200 and 1,000 queries."""
DETECTABLE = {
    RECALL: {50: "12.4", 100: "8.8", 200: "6.2", 500: "3.9", 1_000: "2.8", 2_000: "2.0"},
    MRR: {50: "17.5", 200: "8.8", 1_000: "3.9"},
}
NEEDED = {0.02: "1,684", 0.05: "327", 0.08: "139", 0.20: "30", 0.40: "10"}
COVERAGE = (6, 8, 12, 20, 50, 200)
"""Numbers of clusters."""
_AT_ONCE, _FOR_EFFECTS = 250, 100


def power(repetitions: int, seed: int) -> Table:
    """Power at 5 %, one-sided, beside that of the t test on the same pairs."""
    rows = []
    for (measure, drop), theirs in POWER.items():
        row = [f"{measure} −{drop:.0%}" if drop else f"{measure}, none (level)"]
        for n_queries, their in zip(SIZES, theirs, strict=True):
            differences = list(_differences(n_queries, measure, drop, repetitions, seed))
            ours = np.mean([sign_flip_p(-each) <= ALPHA for each in differences])
            beside = f"; {their} %" if drop else ""
            row.append(f"{percent(float(ours))} ({percent(_power_of_t(differences))}{beside})")
        rows.append(row)
    return Table(
        "Power of the sign-flip test (§3.6)",
        "One-sided at 5 %, clusters of one query. In brackets: Student's t on the same pairs; the specification.",
        ("true drop", *(f"n = {size:,}" for size in SIZES)),
        rows,
        seed,
        repetitions,
        after="On few queries recall@10 moves in coarse steps, and a test that never exceeds its level must stay below "
        "it: that, and nothing else, is the distance to the t test, whose p-value is an approximation. It is gone "
        "where the measure is finer (MRR) or the queries are many.",
    )


def detectable(repetitions: int, seed: int) -> Table:
    """The detectable effect beside every verdict, relative to the baseline; and the queries that a drop needs."""
    rows = []
    for measure, theirs in DETECTABLE.items():
        for n_queries, their in theirs.items():
            sample = swap((_FOR_EFFECTS, n_queries), np.random.default_rng(seed), measure=measure)
            pairs = [paired(sample, row) for row in range(_FOR_EFFECTS)]
            ours = [detectable_drop(standard_error(each), alpha=ALPHA) / each.baseline.mean() for each in pairs]
            results = np.mean(
                [sign_flip_p(-each) <= ALPHA for each in _at_effect(measure, n_queries, ours, repetitions, seed)]
            )
            rows.append(
                [f"{measure}, n = {n_queries:,}", f"{100 * np.mean(ours):.1f} %", f"{their} %", percent(results)]
            )
    return Table(
        "Minimum detectable effect (§3.6)",
        "(z₀.₉₅ + z₀.₈)·SE / μ_b, the mean over repetitions; and the power that a drop of that size is found with, "
        "which should be 80 %. It is less where the test's distribution is coarse, and where a "
        "drop also widens the differences, which no number known beforehand can tell.",
        ("", "ours", "specification", "power there"),
        rows,
        seed,
        repetitions,
        error=f"the effects are means of {_FOR_EFFECTS}, their standard errors below 0.2 points",
    )


def needed(repetitions: int, seed: int) -> Table:
    """Queries for 80 % power."""
    rows = []
    for drop, their in NEEDED.items():
        sample = swap((1, 200_000), np.random.default_rng(seed), drop=drop)
        deviation, mean = float(sample.differences.std()), float(sample.baseline.mean())
        n_queries = math.ceil((detectable_drop(deviation, alpha=ALPHA) / (drop * mean)) ** 2)
        results = np.mean(
            [sign_flip_p(-each) <= ALPHA for each in _differences(n_queries, RECALL, drop, repetitions, seed)]
        )
        rows.append([f"−{drop:.0%}", f"{n_queries:,}", their, percent(float(results))])
    return Table(
        "Queries for 80 % power (§3.6)",
        f"{RECALL}, one-sided at 5 %: the n at which the drop is the detectable effect, with the σ_d of that drop; and "
        "the power of the sign-flip test at that n.",
        ("true drop", "n, ours", "n, specification", "power there"),
        rows,
        seed,
        repetitions,
        after="On ten queries the possible p-values lie far apart, and some of the power is lost to that.",
    )


def concentrated(repetitions: int, seed: int) -> Table:
    """Power against the same mean loss, spread over all queries or concentrated in a few that lose everything."""
    rows = []
    for drop in (0.02, 0.05, 0.08):
        row = [f"−{drop:.0%}"]
        for n_queries in SIZES:
            spread = _found(_differences(n_queries, RECALL, drop, repetitions, seed))
            rng = np.random.default_rng(seed)
            few = _found(_lost(n_queries, drop, rng) for _ in range(repetitions))
            alone = _found(_lost(n_queries, drop, rng, noisy=False) for _ in range(repetitions))
            row.append(f"{spread} / {few} / {alone}")
        rows.append(row)
    return Table(
        "Concentrated damage (§3.1, §5: not yet simulated)",
        f"{RECALL}, one-sided at 5 %. The same true loss three ways: spread over all queries / that share of the "
        "queries loses everything, on top of a benign swap / that share loses everything and nothing else changes. "
        "Damage concentrated in one stratum of twenty is in the table of twenty strata.",
        ("true drop", *(f"n = {size:,}" for size in SIZES)),
        rows,
        seed,
        repetitions,
        after="Where a few lose everything on top of a benign swap, what the swap moves is noise as before and the "
        "losses add to it: the power is somewhat less than for damage that is spread. Where nothing else changes, five "
        "lost queries are enough (2⁻⁵ < 0.05).",
    )


def _lost(n_queries: int, drop: float, rng: np.random.Generator, *, noisy: bool = True) -> Floats:
    sample = swap((1, n_queries), rng)
    after = sample.candidate if noisy else sample.baseline
    lost: Floats = np.where(rng.random(n_queries) < drop, 0.0, after[0]) - sample.baseline[0]
    return lost


def _found(differences: Iterable[Floats]) -> str:
    return percent(float(np.mean([sign_flip_p(-each) <= ALPHA for each in differences])))


def coverage(repetitions: int, seed: int) -> Table:
    """How often the 95 % interval holds the true difference, with clusters of five."""
    rows = []
    for n_clusters in COVERAGE:
        shares = []
        for drop in (0.0, 0.08):
            sample = swap(
                (repetitions, 5 * n_clusters), np.random.default_rng(seed), drop=drop, cluster_size=5, shared=0.46
            )
            truth = -drop * float(swap((1, 400_000), np.random.default_rng(1)).baseline.mean())
            results = [interval(paired(sample, row, cluster_size=5)) for row in range(repetitions)]
            shares.append(float(np.mean([lower <= truth <= upper for lower, upper in results])))
        rows.append([f"{n_clusters}", *(percent(share, repetitions) for share in shares)])
    return Table(
        "Coverage of the 95 % intervals (§3.6)",
        f"{RECALL}, clusters of five queries with an intra-cluster correlation of 0.33. Below 12 clusters recallwatch "
        "tests nothing, but still shows the interval.",
        ("clusters", "no drop", "drop of 8 %"),
        rows,
        seed,
        repetitions,
        error="± two standard errors in the cells",
    )


def _differences(n_queries: int, measure: str, drop: float, repetitions: int, seed: int) -> Iterator[Floats]:
    rng = np.random.default_rng(seed)
    for start in range(0, repetitions, _AT_ONCE):
        yield from swap((min(_AT_ONCE, repetitions - start), n_queries), rng, measure=measure, drop=drop).differences


def _power_of_t(differences: list[Floats]) -> float:
    return float(np.mean(stats.ttest_1samp(np.array(differences), 0.0, axis=1, alternative="less").pvalue <= ALPHA))


def _at_effect(measure: str, n_queries: int, effects: list[float], repetitions: int, seed: int) -> Iterator[Floats]:
    return _differences(n_queries, measure, round(float(np.mean(effects)), 4), repetitions, seed + 1)
