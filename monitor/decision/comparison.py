"""From measured runs to evidence: what changed, by how much, how sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitor.decision.pairing import Paired, pair
from monitor.decision.power import detectable_drop
from monitor.decision.significance import (
    cluster_sums,
    interval,
    non_inferiority,
    sign_flip_maxt,
    standard_error,
)
from monitor.model import Measured
from monitor.verdict import Evidence, Policy

METHOD = "cluster-sign-flip-maxt/1"
"""Changes whenever the same runs could lead to other numbers."""


def compare(
    pairs_of_runs: Sequence[tuple[Measured, Measured]], policy: Policy, *, rng: np.random.Generator
) -> list[Evidence]:
    """Evidence for every measure of every stratum of all suites, (baseline, candidate) for each suite.

    All gating hypotheses with enough clusters form one family: adjusted p-values hold over all of them.

    Raises ComparisonError if the runs of a pair are not comparable.
    """
    everything = [paired for before, after in pairs_of_runs for paired in pair(before, after, policy)]
    found = {id(paired): _describe(paired, policy) for paired in everything}
    testable = [paired for paired in everything if paired.n_clusters >= policy.min_clusters]
    for family in (
        [each for each in testable if each.gating],
        [each for each in testable if not each.gating],
    ):
        if family:
            found |= _test(family, found, policy, rng)
    return [found[id(paired)] for paired in everything]


def _describe(paired: Paired, policy: Policy) -> Evidence:
    lower, upper = interval(paired)
    unknown = float("nan")
    return Evidence(
        paired.suite,
        paired.axis,
        paired.stratum,
        paired.measure,
        paired.gating,
        paired.n_queries,
        paired.n_clusters,
        float(paired.baseline.mean()),
        float(paired.candidate.mean()),
        float(paired.differences.mean()),
        lower,
        upper,
        p_worse=unknown,
        p_worse_adjusted=unknown,
        p_better_adjusted=unknown,
        p_not_safe=non_inferiority(paired, margin=policy.margin),
        mde=detectable_drop(standard_error(paired), alpha=policy.alpha_warn),
    )


def _test(
    family: Sequence[Paired], found: dict[int, Evidence], policy: Policy, rng: np.random.Generator
) -> dict[int, Evidence]:
    sums = cluster_sums(family)
    worse, worse_adjusted = sign_flip_maxt(-sums, resamples=policy.resamples, rng=rng)
    _, better_adjusted = sign_flip_maxt(sums, resamples=policy.resamples, rng=rng)
    return {
        id(paired): replace(
            found[id(paired)],
            p_worse=float(worse[column]),
            p_worse_adjusted=float(worse_adjusted[column]),
            p_better_adjusted=float(better_adjusted[column]),
        )
        for column, paired in enumerate(family)
    }
