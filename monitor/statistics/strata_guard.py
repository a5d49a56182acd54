"""Is any stratum likely to have lost more than its margin? Partial pooling over the strata of one measure.

The model is d_k ~ N(θ_k, s_k²) and θ_k ~ N(μ, τ²): the true changes of the strata vary around a common one. The prior
on μ is flat; τ is half-Cauchy with the mean margin as its scale, so that a swap whose strata differ by more than the
margin is as likely as one whose strata differ by less. A stratum is safe where both hold:

1. P(θ_k < −margin_k | all strata) ≤ 0.05;
2. P(θ_k < −margin_k | d_k alone) ≤ 0.25.

The second condition bounds the optimism of the first. Under a normal population one bad stratum is an outlier, and
the many good ones draw it back: by the first condition alone a stratum that lost its margin passes in half of all
samples (12 strata, s_k of 0.27 margins) and in three of four (20 strata), and one that lost twice its margin in whole
clusters passes nearly always, because a τ wide enough for it is too unlikely for the others. With the second condition
a stratum at its margin passes in one sample of four, whatever the number of strata, and twelve harmless ones still
pass in 98 % where s_k ≤ 0.27 margins.

The first condition decides where there are few strata, or where all are wide. Strata with few clusters take part: the
pooled variance makes up for their own. A stratum too wide for its margin does not pass, and ``queries_needed`` holds
the remedy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr

from monitor.model.measurements import Floats
from monitor.statistics.pairing import Paired
from monitor.statistics.power import LEAST_MEAN

LEVEL = 0.05
"""Posterior probability of a loss beyond the margin from which a stratum is not safe."""
OWN_LEVEL = 0.25
"""The same for a stratum by itself, without pooling."""
FEASIBLE_WIDTH = 0.27
"""Standard error in units of the margin up to which harmless swaps pass."""
PRIOR_CLUSTERS = 20
"""Weight of the pooled variance, in clusters of a stratum's own; from 10 to 40 the error rates hardly differ."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_ODDS = np.tan(np.pi * (_NODES + 1.0) / 4.0)
"""Quantiles of the half-Cauchy distribution of scale 1, so that its prior weights are those of the quadrature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrataEstimates:
    """Estimates of the strata of one axis on one measure; arrays have shape (n_strata,)."""

    names: tuple[str, ...]
    differences: Floats
    """Candidate minus baseline; negative is worse."""
    margins: Floats
    """Tolerated drops in units of the measure, above 0."""
    variances: Floats
    """Squared standard errors of the differences."""
    n_queries: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Whether every stratum is shown to be within its margin, and which one is least so."""

    passed: bool
    worst: str = ""
    """The stratum that exceeds its limits most, or comes nearest to them; empty where none was tested."""
    probability: float = math.nan
    """Posterior probability that its loss is beyond the margin; NaN where none was tested."""
    own_probability: float = math.nan
    """The same from this stratum alone, without pooling."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Posterior probability of every stratum tested."""
    queries_needed: Mapping[str, int] = field(default_factory=dict)
    """Queries for each stratum whose standard error is too wide for its margin; empty where none is."""
    untested: tuple[str, ...] = ()
    """Strata with too few clusters or no margin."""


def guard_strata(
    strata: Sequence[Paired],
    margins: Sequence[float],
    *,
    worst_drop: float = 1.0,
    level: float = LEVEL,
    own_level: float = OWN_LEVEL,
    min_clusters: int = 2,
) -> Guard:
    """Test that no stratum of one measure lost its margin or more.

    Null hypothesis: at least one stratum lost its margin. The guard passes where, for every stratum, the posterior
    probability of such a loss is at most ``level`` given all strata and at most ``own_level`` given this one alone.
    It does not pass where no stratum could be tested, unless there is none at all.

    Parameters
    ----------
    strata
        One measure on each stratum of an axis, without the whole axis.
    margins
        Tolerated drop of each, in units of the measure; see `relative_margins`. NaN leaves a stratum out.
    worst_drop
        The largest drop of a query that the measure allows: 1 for measures in [0, 1], 6 for separation.
    min_clusters
        Strata with fewer clusters are not tested.

    Examples
    --------
    Twelve strata of 40 queries in which nothing changed, and the same with half of one stratum lost:

    >>> names, ones = tuple(map(str, range(40))), np.ones(40)
    >>> every = {"suite": "s", "axis": "broad", "measure": "recall@10", "gating": True, "baseline": ones}
    >>> every |= {"cluster": np.arange(40), "cluster_names": names}
    >>> same = [Paired(stratum=name, candidate=ones, **every) for name in "abcdefghijkl"]
    >>> lost = Paired(stratum="l", candidate=ones * (np.arange(40) < 20), **every)
    >>> guard_strata(same, [0.1] * 12).passed, guard_strata([*same[:-1], lost], [0.1] * 12).worst
    (True, 'l')
    """
    tested = [
        (paired, margin)
        for paired, margin in zip(strata, margins, strict=True)
        if paired.n_clusters >= max(min_clusters, 2) and margin > 0
    ]
    names = {paired.stratum for paired, _ in tested}
    untested = tuple(paired.stratum for paired in strata if paired.stratum not in names)
    if not tested:
        return Guard(passed=not strata, untested=untested)
    estimates = estimate_strata([paired for paired, _ in tested], [margin for _, margin in tested], worst_drop)
    return _guard(estimates, untested, level=level, own_level=own_level)


def _guard(estimates: StrataEstimates, untested: tuple[str, ...], *, level: float, own_level: float) -> Guard:
    """Both conditions on every stratum; the worst stratum exceeds its limits most, or comes nearest to them."""
    pooled = probabilities_of_loss(estimates)
    own = ndtr(-(estimates.differences + estimates.margins) / np.sqrt(estimates.variances))
    excess = np.maximum(pooled / level, own / own_level)
    worst = int(excess.argmax())
    return Guard(
        passed=bool(excess[worst] <= 1.0),
        worst=estimates.names[worst],
        probability=float(pooled[worst]),
        probabilities=dict(zip(estimates.names, pooled.tolist(), strict=True)),
        own_probability=float(own[worst]),
        queries_needed=queries_needed(estimates),
        untested=untested,
    )


def relative_margins(strata: Sequence[Paired], margin: float) -> list[float]:
    """The share ``margin`` of each stratum's baseline mean, in units of the measure; NaN below `LEAST_MEAN`."""
    means = [float(paired.baseline.mean()) for paired in strata]
    return [margin * mean if mean >= LEAST_MEAN else math.nan for mean in means]


def estimate_strata(strata: Sequence[Paired], margins: Sequence[float], worst_drop: float = 1.0) -> StrataEstimates:
    """Differences of the strata and their squared standard errors, shrunk to the pooled variance.

    With clusters as units, v_k = n_k·s_k² is the variance that one cluster contributes. The pooled v is the mean of
    the v_k over their n_k − 1 degrees of freedom, with one more cluster in it that lost ``worst_drop`` at each query:
    a sample in which nothing changed does not show that nothing can. The loss is counted once for all strata, not
    once for each: with some 30 clusters it costs each 1 point of standard error instead of 3 points of the mean.
    s_k² = (c·v + (n_k − 1)·v_k) / (c + n_k − 1) / n_k, where c is `PRIOR_CLUSTERS`, and never below v_k / n_k: a
    stratum that varies more than the others may be the one that lost, and must not borrow their precision.

    Parameters
    ----------
    strata
        One measure on each stratum, at least two clusters in each.
    margins
        Tolerated drop of each, in units of the measure.
    worst_drop
        The largest drop of a query that the measure allows.

    References
    ----------
    Smyth 2004 (moderated variances).

    Examples
    --------
    Two strata of 50 queries, nothing changed: v = 1 / (2·49 + 1), s² = 20/69·v/50.

    >>> clusters = tuple(f"{number:02}" for number in range(50))
    >>> one = Paired(
    ...     suite="suite", axis="broad", stratum="a", measure="recall@10", gating=True,
    ...     baseline=np.ones(50), candidate=np.ones(50), cluster=np.arange(50), cluster_names=clusters,
    ... )
    >>> estimate_strata([one, one], [0.1, 0.1]).variances.round(7).tolist()
    [5.86e-05, 5.86e-05]
    """
    counts = np.array([paired.n_clusters for paired in strata], dtype=np.float64)
    own = np.array([_cluster_variance(paired) for paired in strata])
    pooled = (((counts - 1) * own).sum() + worst_drop**2 * _unevenness(strata)) / ((counts - 1).sum() + 1)
    shrunk = (PRIOR_CLUSTERS * pooled + (counts - 1) * own) / (PRIOR_CLUSTERS + counts - 1)
    return StrataEstimates(
        names=tuple(paired.stratum for paired in strata),
        differences=np.array([float(paired.differences.mean()) for paired in strata]),
        margins=np.asarray(margins, dtype=np.float64),
        variances=np.maximum(shrunk, own) / counts,
        n_queries=np.array([paired.n_queries for paired in strata], dtype=np.float64),
    )


def probabilities_of_loss(estimates: StrataEstimates) -> Floats:
    """Posterior probability of each stratum that its true change is below −margin, shape (n_strata,).

    Given τ, everything is normal: μ is integrated out in closed form, and θ_k has the mean B_k·μ̂ + (1 − B_k)·d_k and
    the variance B_k·τ² + B_k²/Σ 1/(s_j² + τ²), where B_k = s_k² / (s_k² + τ²). τ is integrated by a Gauss–Legendre
    rule of 64 nodes on the prior's own probability scale; nothing is sampled. With one stratum there is no pooling.

    References
    ----------
    Gelman 2006; Gelman et al., Bayesian Data Analysis, 3rd edition, section 5.4.

    Examples
    --------
    Ten strata that did not change draw the eleventh, whose own estimate is exactly at the margin, back towards them:

    >>> differences = np.array([0.0] * 10 + [-1.0])
    >>> ones = np.ones(11)
    >>> of = StrataEstimates(
    ...     names=tuple("abcdefghijk"),
    ...     differences=differences,
    ...     margins=ones,
    ...     variances=0.25**2 * ones,
    ...     n_queries=50 * ones,
    ... )
    >>> probabilities_of_loss(of).round(2).tolist()[-2:]
    [0.0, 0.02]
    """
    tau = estimates.margins.mean() * _ODDS[:, None]
    totals = estimates.variances + tau**2
    precisions = 1.0 / totals
    precision = precisions.sum(axis=1, keepdims=True)
    centre = (precisions * estimates.differences).sum(axis=1, keepdims=True) / precision
    deviance = (np.log(totals) + precisions * (estimates.differences - centre) ** 2).sum(axis=1) + np.log(
        precision[:, 0]
    )
    weights = _WEIGHTS * np.exp((deviance.min() - deviance) / 2.0)
    pull = estimates.variances * precisions
    means = pull * centre + (1.0 - pull) * estimates.differences
    deviations = np.sqrt(pull * tau**2 + pull**2 / precision)
    return np.asarray(weights @ ndtr((-estimates.margins - means) / deviations) / weights.sum())


def queries_needed(estimates: StrataEstimates) -> dict[str, int]:
    """Queries that bring each stratum's standard error down to 0.27 margins, where it is wider.

    At that width twelve harmless strata pass in 98 % of samples. The clusters are taken to stay as large as they are.

    Examples
    --------
    A standard error of half a margin takes (0.5/0.27)² times the queries:

    >>> one = np.ones(1)
    >>> of = StrataEstimates(names=("legal",), differences=one, margins=one, variances=one / 4, n_queries=100 * one)
    >>> queries_needed(of)
    {'legal': 343}
    """
    ratios = estimates.variances / (FEASIBLE_WIDTH * estimates.margins) ** 2
    return {
        name: math.ceil(ratio * count)
        for name, ratio, count in zip(estimates.names, ratios.tolist(), estimates.n_queries.tolist(), strict=True)
        if ratio > 1.0
    }


def _cluster_variance(paired: Paired) -> float:
    """Squared standard error of the mean difference times the number of clusters."""
    residuals = paired.sum_by_cluster(paired.differences - paired.differences.mean())
    count = paired.n_clusters
    return float(count**2 / (count - 1) * (residuals**2).sum() / paired.n_queries**2)


def _unevenness(strata: Sequence[Paired]) -> float:
    """Mean square of the clusters' sizes over the square of their mean: what a lost cluster weighs, squared."""
    sizes = np.concatenate([np.bincount(paired.cluster) for paired in strata])
    return float((sizes**2).mean() / sizes.mean() ** 2)
