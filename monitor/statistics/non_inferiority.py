"""Is a whole axis shown to have lost less than its margin? One worst-case pseudo-cluster guards against rare losses.

The estimator is the mean over queries of x = candidate − (1 − margin)·baseline for a relative margin, and of
x = candidate − baseline + margin for an absolute one. The test is a one-sided t test on cluster sums, after one
**worst-case pseudo-cluster** is appended: each of its queries lost everything. It accounts for the rare total loss
that a sample can miss. With n clusters and none of them lost, up to 3/n of the population may be lost at 95 % (the
rule of three); a plain t test calls a true loss of exactly the margin safe in 40 % of samples of 50 queries, this test
in none. The price is that nothing passes with fewer than some 2.6/(margin · mean) clusters: 74 at 5 % and a baseline
mean of 0.7; the rule of three alone requires 60.

The pseudo-cluster has √(Σn_g²/G) queries, the root mean square of the clusters' sizes; with equal sizes that is the
average cluster. Whole clusters are lost together, and the variance that a lost cluster adds grows with the square of
its size, so that the plain average is too small where sizes differ. A pseudo-cluster of one query calls a loss on the
margin safe in 15 % of samples of 50 clusters of 20, and one that lost a mean baseline instead of 1 in up to 6 % (see
the statistics study).

Of separation, with a margin of 0.10 and a baseline mean of 0.5, nothing passes with fewer than some 95 clusters: its
pseudo-cluster falls from the mean to −3. (A fall over the whole range, from 3 to −3, calls losses on the margin safe
in 0 to 4 % of samples instead of 4 to 6 %, and nothing passes with fewer than 160 clusters.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from monitor.model.measurements import Floats
from monitor.statistics.pairing import Paired

MIN_CLUSTERS = 12
"""With fewer clusters nothing is tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NonInferiority:
    """The test that one measure of one axis lost less than its margin.

    ``change`` and ``lower`` are shares of the baseline mean for a relative margin, units of the measure for an
    absolute one; negative is worse.
    """

    p_value: float
    """Null hypothesis: the candidate lost the margin or more."""
    change: float
    """Observed change, without the pseudo-cluster; NaN where the baseline mean is 0."""
    lower: float
    """One-sided lower confidence bound of the change, with the pseudo-cluster; above −margin where p < 0.05."""
    n_clusters: int


def relative_non_inferiority(
    paired: Paired, *, margin: float = 0.05, confidence: float = 0.95, min_clusters: int = MIN_CLUSTERS
) -> NonInferiority | None:
    """Test that a measure in [0, 1] kept more than the share 1 − ``margin`` of its baseline mean.

    Null hypothesis: the mean of candidate − (1 − margin)·baseline is 0 or less. Each query of the pseudo-cluster had 1
    and has 0.

    Parameters
    ----------
    paired
        One measure of the whole axis, values in [0, 1].
    margin
        Tolerated drop as a share of the baseline mean.
    confidence
        Level of the lower bound, one-sided.

    Returns
    -------
    NonInferiority or None
        None with fewer than ``min_clusters`` clusters. ``lower`` is the margin at which p is exactly
        1 − ``confidence`` (Fieller's bound of the ratio of the two means), not below −1.

    References
    ----------
    Fieller 1954; Hanley & Lippman-Hand 1983 (rule of three).

    Examples
    --------
    >>> ones, names = np.ones(100), tuple(map(str, range(100)))
    >>> result = relative_non_inferiority(Paired(
    ...     suite="s", axis="broad", stratum="overall", measure="recall@10", gating=True,
    ...     baseline=ones, candidate=ones, cluster=np.arange(100), cluster_names=names,
    ... ))
    >>> round(result.p_value, 4), result.change, round(result.lower, 4)
    (0.0001, 0.0, -0.0263)

    The observed means of 100 clusters and the pseudo-cluster are 100/101 and 1, their ratio is 0.990, and its standard
    error is 0.0099: 0.990 − 1.66·0.0099 = 0.974.
    """
    if paired.n_clusters < min_clusters:
        return None
    sums = _Sums.of(paired, paired.candidate, paired.baseline).with_lost(numerator=0.0, denominator=1.0)
    before = float(paired.baseline.mean())
    return NonInferiority(
        p_value=sums.p_value(1.0 - margin),
        change=float(paired.candidate.mean()) / before - 1.0 if before > 0 else math.nan,
        lower=max(sums.lower_bound(confidence) - 1.0, -1.0),
        n_clusters=paired.n_clusters,
    )


def absolute_non_inferiority(
    paired: Paired,
    *,
    margin: float = 0.10,
    lowest: float = -3.0,
    confidence: float = 0.95,
    min_clusters: int = MIN_CLUSTERS,
) -> NonInferiority | None:
    """Test that a measure without a natural zero lost less than ``margin`` in its own units; separation, for example.

    Null hypothesis: the mean of candidate − baseline is −margin or less. Each query of the pseudo-cluster had the mean
    of the baseline and falls to ``lowest``.

    Parameters
    ----------
    paired
        One measure of the whole axis, no value below ``lowest``.
    margin
        Tolerated drop, in units of the measure (standard deviations for separation).
    lowest
        Lower end of the measure's range.

    Returns
    -------
    NonInferiority or None
        None with fewer than ``min_clusters`` clusters. ``lower`` is not below the pseudo-cluster's fall.

    Examples
    --------
    >>> zeros, names = np.zeros(299), tuple(map(str, range(299)))
    >>> result = absolute_non_inferiority(Paired(
    ...     suite="s", axis="compositional", stratum="overall", measure="separation", gating=True,
    ...     baseline=zeros, candidate=zeros, cluster=np.arange(299), cluster_names=names,
    ... ))
    >>> result.p_value < 1e-9, result.change, round(result.lower, 4)
    (True, 0.0, -0.0265)

    The mean of 299 zeros and one −3 is −0.01, its standard error 0.01: −0.01 − 1.65·0.01 = −0.0265.
    """
    if paired.n_clusters < min_clusters:
        return None
    fall = lowest - float(paired.baseline.mean())
    sums = _Sums.of(paired, paired.differences, np.ones(paired.n_queries)).with_lost(numerator=fall, denominator=1.0)
    return NonInferiority(
        p_value=sums.p_value(-margin),
        change=float(paired.differences.mean()),
        lower=max(sums.lower_bound(confidence), fall),
        n_clusters=paired.n_clusters,
    )


@dataclass(frozen=True, slots=True)
class _Sums:
    """Cluster sums of a numerator and a denominator, with the clusters' sizes; shape (n_clusters,) each."""

    numerator: Floats
    denominator: Floats
    sizes: Floats

    @classmethod
    def of(cls, paired: Paired, numerator: Floats, denominator: Floats) -> _Sums:
        """Sums over the queries of each cluster."""
        sizes = paired.sum_by_cluster(np.ones(paired.n_queries))
        return cls(paired.sum_by_cluster(numerator), paired.sum_by_cluster(denominator), sizes)

    def with_lost(self, *, numerator: float, denominator: float) -> _Sums:
        """The same with a pseudo-cluster, every query of which has these values."""
        size = math.sqrt(float((self.sizes**2).mean()))
        return _Sums(
            np.append(self.numerator, numerator * size),
            np.append(self.denominator, denominator * size),
            np.append(self.sizes, size),
        )

    def p_value(self, ratio: float) -> float:
        """One-sided p-value against the null hypothesis that the ratio of the means is ``ratio`` or less."""
        mean = self._mean(self.numerator) - ratio * self._mean(self.denominator)
        residuals = self._residuals(self.numerator) - ratio * self._residuals(self.denominator)
        error = math.sqrt(self._covariance(residuals, residuals))
        return float(stdtr(len(self.sizes) - 1, -mean / error)) if error > 0 else float(mean <= 0)

    def lower_bound(self, confidence: float) -> float:
        """The largest ratio that is rejected at 1 − ``confidence``; −∞ where none is. Fieller 1954."""
        squared_t = float(stdtrit(len(self.sizes) - 1, confidence)) ** 2
        top, bottom = self._mean(self.numerator), self._mean(self.denominator)
        of_top, of_bottom = self._residuals(self.numerator), self._residuals(self.denominator)
        a = bottom**2 - squared_t * self._covariance(of_bottom, of_bottom)
        b = top * bottom - squared_t * self._covariance(of_top, of_bottom)
        c = top**2 - squared_t * self._covariance(of_top, of_top)
        return (b - math.sqrt(max(b * b - a * c, 0.0))) / a if a > 0 else -math.inf

    def _mean(self, sums: Floats) -> float:
        return float(sums.sum() / self.sizes.sum())

    def _residuals(self, sums: Floats) -> Floats:
        return sums - self.sizes * self._mean(sums)

    def _covariance(self, one: Floats, other: Floats) -> float:
        """Covariance of two means per query, from the residuals of their cluster sums."""
        count = len(self.sizes)
        return float(count / (count - 1) * (one @ other) / self.sizes.sum() ** 2)
