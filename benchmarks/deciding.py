"""Decisions: the joint resampling, a single p-value against SciPy's, and a verdict over many suites.

In a process of its own, because its peak memory is measured.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from importlib.metadata import version

import numpy as np
from scipy import stats

from benchmarks.result import Result, dump
from benchmarks.study.runs import measured, suite
from benchmarks.timing import median_seconds, say, seconds
from monitor.decision.verdict import weigh
from monitor.model.measurements import Floats, Measured
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.model.suites import Axis
from monitor.statistics.exact_p_values import sign_flip_p
from monitor.statistics.significance import sign_flips, step_down

N_STRATA, MEASURES, N_CLUSTERS, RESAMPLES = 20, 6, 5_000, 10_000
N_SUITES, N_QUERIES, GATING = 20, 1_000, ("ndcg@10", "mrr@10", "recall@5", "recall@10")
N_SINGLE, SINGLE_RESAMPLES = 10_000, 9_999
GOAL_FAMILY_S, GOAL_MEMORY_MB, GOAL_SINGLE, GOAL_VERDICT_S = 1.0, 500.0, 100.0, 2.0


def family(rng: np.random.Generator) -> Floats:
    """Sums of differences: each cluster belongs to one stratum and to the whole, and moves in every measure."""
    moved = rng.choice([-1.0, -0.5, 0.5, 1.0], (N_CLUSTERS, MEASURES))
    sums = np.zeros((N_CLUSTERS, (N_STRATA + 1) * MEASURES))
    sums[:, :MEASURES] = moved
    for cluster in range(N_CLUSTERS):
        start = MEASURES * (1 + cluster % N_STRATA)
        sums[cluster, start : start + MEASURES] = moved[cluster]
    return sums


def resample(sums: Floats) -> None:
    """Adjusted p-values of both tails of the family from one resampling."""
    observed, null = sign_flips(sums, resamples=RESAMPLES, rng=np.random.default_rng(1))
    step_down(-observed, -null)
    step_down(observed, null)


def suites(rng: np.random.Generator) -> list[tuple[Measured, Measured]]:
    """Baseline and candidate of every suite, some queries changed."""
    pairs = []
    for number in range(N_SUITES):
        of = suite(Axis.BROAD, N_QUERIES, n_strata=5, name=f"suite {number}")
        before = {name: rng.integers(0, 11, N_QUERIES) / 10 for name in GATING}
        after = {
            name: np.where(rng.random(N_QUERIES) < 0.2, rng.integers(0, 11, N_QUERIES) / 10, values)
            for name, values in before.items()
        }
        pairs.append((measured(of, before, run_id="before"), measured(of, after, run_id="after")))
    return pairs


async def compare_all() -> list[Result]:
    """Compare and judge all suites."""
    rng = np.random.default_rng(1)
    sums, runs, policy = family(rng), suites(rng), Policy(gating={Axis.BROAD: GATING})
    say(f"deciding: {N_STRATA} strata × {MEASURES} measures, {RESAMPLES:,} flips of {N_CLUSTERS:,} clusters")
    (family_s,) = await median_seconds(lambda: resample(sums))
    peak = _peak_mb()
    say(f"deciding: {N_SUITES} suites of {N_QUERIES:,} queries")
    results = [SuiteResult(measured=after, baseline=before) for before, after in runs]
    (verdict_s,) = await median_seconds(lambda: weigh(results, policy, 1, may_page=True, causes={}))
    single = await single_p_values(rng)
    heading = f"{N_STRATA} strata × {MEASURES} measures × {N_CLUSTERS:,} queries, {RESAMPLES:,} joint flips"
    return [
        Result(heading, "s", family_s, goal=GOAL_FAMILY_S, at_most=True, unit_of_goal="s"),
        Result("its peak memory", "MB", peak, goal=GOAL_MEMORY_MB, at_most=True, unit_of_goal="MB"),
        *single,
        Result(
            f"verdict over {N_SUITES} suites of {N_QUERIES:,} queries",
            "s",
            verdict_s,
            goal=GOAL_VERDICT_S,
            at_most=True,
            unit_of_goal="s",
        ),
    ]


async def single_p_values(rng: np.random.Generator) -> list[Result]:
    """One p-value of 10,000 queries, of recall (on a lattice) and of nDCG (not on one), by both implementations."""
    say(f"deciding: one p-value of {N_SINGLE:,} queries, by SciPy with {SINGLE_RESAMPLES:,} flips")
    changed = rng.random(N_SINGLE) < 0.3
    kinds = {
        "recall@10": rng.integers(-10, 11, N_SINGLE) / 10 * changed,
        "ndcg@10": rng.normal(-0.006, 0.4, N_SINGLE) * changed,
    }
    results = []
    for name, differences in kinds.items():
        (ours_s,) = await median_seconds(lambda differences=differences: sign_flip_p(-differences))
        their_s = await seconds(lambda differences=differences: theirs(differences))
        _same(sign_flip_p(-differences), theirs(differences), name)
        peer = f"SciPy {version('scipy')} permutation_test, {SINGLE_RESAMPLES:,} flips"
        subject = f"one p-value of {N_SINGLE:,} queries, {name}"
        results.append(Result(subject, "1/s", 1 / ours_s, peer, 1 / their_s, their_s / ours_s, GOAL_SINGLE))
    return results


def theirs(differences: Floats) -> float:
    """SciPy's sign-flip test: for one sample, permuting is flipping signs."""
    test = stats.permutation_test(
        (differences,),
        np.sum,
        permutation_type="samples",
        alternative="less",
        n_resamples=SINGLE_RESAMPLES,
        batch=1_000,
        rng=np.random.default_rng(1),
        vectorized=True,
    )
    return float(test.pvalue)


def _same(ours: float, their: float, name: str) -> None:
    error = 4 * np.sqrt(their * (1 - their) / SINGLE_RESAMPLES) + 2 / SINGLE_RESAMPLES
    if abs(ours - their) > error:
        raise ValueError(f"{name}: p is {ours:.5f} by recallwatch and {their:.5f} by SciPy, too far apart for chance")


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    print(dump(asyncio.run(compare_all())))
