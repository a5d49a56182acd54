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
    sign_flips,
    standard_error,
    step_down,
)
from monitor.model import Measured
from monitor.verdict import Evidence, Policy

METHOD = "cluster-sign-flip-maxt/2"
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
    observed, null = sign_flips(cluster_sums(testable), resamples=policy.resamples, rng=rng)
    for gating in (True, False):
        columns = [column for column, paired in enumerate(testable) if paired.gating is gating]
        _, better = step_down(observed[columns], null[:, columns])
        worse, worse_adjusted = step_down(-observed[columns], -null[:, columns])
        for at, column in enumerate(columns):
            found[id(testable[column])] = replace(
                found[id(testable[column])],
                p_worse=float(worse[at]),
                p_worse_adjusted=float(worse_adjusted[at]),
                p_better_adjusted=float(better[at]),
            )
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
