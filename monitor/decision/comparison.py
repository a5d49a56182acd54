"""From measured runs to evidence: differences, intervals and p-values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import ndtri

from monitor.decision.safety import non_inferiority_of, range_of
from monitor.model.measurements import Floats, Measured
from monitor.model.policies import Policy, ToleratedDrop
from monitor.model.suites import is_style
from monitor.model.verdicts import Evidence
from monitor.statistics.exact_p_values import sign_flip_p
from monitor.statistics.pairing import Paired, pair
from monitor.statistics.power import detectable_drop, detectable_from
from monitor.statistics.significance import (
    cluster_sums,
    holm,
    interval,
    sign_flips,
    standard_error,
    step_down,
)

METHOD = "cluster-sign-flip-maxt/6"
"""Name and version of the method; a new version may give other numbers for the same runs."""

FEW = 10
"""With at most this many sampled flips beyond the observation, a sampled p-value is too coarse."""


def pair_all(runs: Sequence[tuple[Measured, Measured]], policy: Policy) -> list[Paired]:
    """Every measure of every stratum of all suites, (baseline, candidate) for each suite.

    Raises ComparisonError if the runs of a pair are not comparable.
    """
    return [paired for before, after in runs for paired in pair(before, after, policy)]


def compare(everything: Sequence[Paired], policy: Policy, *, rng: np.random.Generator) -> list[Evidence]:
    """Evidence for every pair of measures, in the same order.

    All gating hypotheses with enough clusters form one family: adjusted p-values hold over all of them. Query styles
    are a family of their own, so that they cost the gain of structure no power.
    """
    by_pair = {id(paired): _describe(paired, policy) for paired in everything}
    testable = [paired for paired in everything if paired.n_clusters >= policy.min_clusters]
    sums = cluster_sums(testable)
    observed, null = sign_flips(sums, resamples=policy.resamples, rng=rng)
    for family in dict.fromkeys(map(_family, testable)):
        columns = [column for column, paired in enumerate(testable) if _family(paired) == family]
        critical = _critical_value(null[:, columns], policy.alpha_page)
        worse, worse_adjusted = _p_values(-sums[:, columns], -observed[columns], -null[:, columns])
        better, better_adjusted = _p_values(sums[:, columns], observed[columns], null[:, columns])
        for at, column in enumerate(columns):
            by_pair[id(testable[column])] = replace(
                by_pair[id(testable[column])],
                p_worse=float(worse[at]),
                p_worse_adjusted=float(worse_adjusted[at]),
                p_better=float(better[at]),
                p_better_adjusted=float(better_adjusted[at]),
                mde_page=detectable_from(standard_error(testable[column]), critical),
            )
    return [by_pair[id(paired)] for paired in everything]


def _family(paired: Paired) -> tuple[bool, bool]:
    return paired.gating, is_style(paired.stratum)


def _critical_value(null: Floats, alpha: float) -> float:
    """Smallest studentised drop that the corrected test finds significant at ``alpha``; ∞ without a family."""
    if not null.size:
        return math.inf
    sampled = float(np.quantile((-null).max(axis=1), 1 - alpha))
    return max(sampled, float(ndtri(1 - alpha)))


def _p_values(sums: Floats, observed: Floats, null: Floats) -> tuple[Floats, Floats]:
    """Raw and adjusted p-values; small ones are computed without sampling, because sampled ones are too coarse.

    Where almost no flip reached the observed statistic, the raw p-value comes from `sign_flip_p`. Where almost none
    did over the whole family, the adjusted p-value is Holm's bound on the raw ones, if that is smaller.
    """
    raw, adjusted = step_down(observed, null)
    coarse = FEW / (len(null) + 1.0)
    for column in np.flatnonzero(raw <= coarse):
        raw[column] = sign_flip_p(sums[:, column])
    return raw, np.maximum(raw, np.where(adjusted <= coarse, np.minimum(adjusted, holm(raw)), adjusted))


def _describe(paired: Paired, policy: Policy) -> Evidence:
    lower, upper = _within_range(paired, *interval(paired))
    unknown = float("nan")
    tolerated = policy.tolerance_of(paired.axis, paired.suite, paired.stratum, paired.measure)
    return Evidence(
        suite=paired.suite,
        axis=paired.axis,
        stratum=paired.stratum,
        measure=paired.measure,
        gating=paired.gating,
        n_queries=paired.n_queries,
        n_clusters=paired.n_clusters,
        baseline_mean=float(paired.baseline.mean()),
        candidate_mean=float(paired.candidate.mean()),
        difference=float(paired.differences.mean()),
        lower=lower,
        upper=upper,
        p_worse=unknown,
        p_worse_adjusted=unknown,
        p_better=unknown,
        p_better_adjusted=unknown,
        p_not_safe=_p_not_safe(paired, tolerated, policy),
        mde=detectable_drop(standard_error(paired), alpha=policy.alpha_warn),
        is_control=paired.is_control,
    )


def _p_not_safe(paired: Paired, tolerated: ToleratedDrop, policy: Policy) -> float:
    """p-value against the null hypothesis that this stratum lost its margin or more; NaN if untested."""
    test = non_inferiority_of(paired, tolerated, min_clusters=policy.min_clusters)
    return test.p_value if test else math.nan


def _within_range(paired: Paired, lower: float, upper: float) -> tuple[float, float]:
    """The interval, clipped to possible changes: a mean in [0, 1] cannot fall below 0 or rise above 1."""
    lowest, highest = range_of(paired.measure)
    before = float(paired.baseline.mean())
    return max(lower, lowest - before), min(upper, highest - before)
