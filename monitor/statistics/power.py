"""The smallest drop that a comparison detects, and the queries that a smaller one needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from monitor.model.measurements import Floats
from monitor.statistics.pairing import Paired

CORRELATION = 0.57
"""Assumed correlation between the values of two deployments on the same queries, if only one run exists.

The simulated swaps of the statistics study have 0.60 (recall@10) and 0.58 (MRR@10), rounded down; real swaps that lose
a few points have more, up to 0.9, so the detectable drop is overstated.
"""

LEAST_MEAN = 0.05
"""Relative changes of a smaller mean are not reported."""


def detectable_drop(standard_error: float, *, alpha: float, power: float = 0.8) -> float:
    """Smallest true drop that a one-sided test at ``alpha`` detects with this power, in points.

    MDE = (z₁₋α + z_power)·SE, where the standard error already includes the clusters' design effect.

    Examples
    --------
    >>> round(detectable_drop(0.01, alpha=0.05), 4)
    0.0249
    """
    return float((ndtri(1 - alpha) + ndtri(power)) * standard_error)


def detectable_from(standard_error: float, critical: float, *, power: float = 0.8) -> float:
    """Smallest true drop detected with this power if ``critical`` standard errors are significant, in points.

    Examples
    --------
    >>> round(detectable_from(0.01, 3.5), 4)
    0.0434
    """
    return float((critical + ndtri(power)) * standard_error)


@dataclass(frozen=True, slots=True)
class Spread:
    """Variation of the difference between two runs over queries, for one measure of one stratum."""

    mean: float
    """Mean of the baseline."""
    deviation: float
    """Standard deviation σ_d of a query's difference."""
    icc: float
    """Intra-cluster correlation."""
    sizes: NDArray[np.intp]
    """Number of queries of each cluster."""

    @property
    def n_queries(self) -> int:
        """Number of queries of all clusters."""
        return int(self.sizes.sum())

    @property
    def design_effect(self) -> float:
        """Queries in these clusters that carry as much evidence as one independent query, at least 1."""
        return design_effect(self.sizes, self.icc)

    def detectable(self, *, alpha: float, power: float = 0.8) -> float:
        """Smallest true drop found with the given power, in points: (z₁₋α + z_power)·σ_d·√(deff/n).

        NaN where nothing varied: the size of a change is then unknown.

        Examples
        --------
        >>> spread = Spread(0.75, 0.26, 0.0, np.ones(200, np.intp))
        >>> round(spread.detectable(alpha=0.05), 3)
        0.046
        """
        if not self.deviation > 0:
            return math.nan
        standard_error = self.deviation * math.sqrt(self.design_effect / self.n_queries)
        return detectable_drop(standard_error, alpha=alpha, power=power)

    def queries_needed(self, relative_drop: float, *, alpha: float, power: float = 0.8) -> int | None:
        """Number of queries, in clusters of the same sizes, that detect a drop of this share of the mean.

        None without variation, or if the mean is below `LEAST_MEAN`.

        Examples
        --------
        >>> Spread(0.75, 0.26, 0.0, np.ones(200, np.intp)).queries_needed(0.05, alpha=0.05)
        298
        """
        if not (self.mean >= LEAST_MEAN and self.deviation > 0):
            return None
        root = detectable_drop(self.deviation * math.sqrt(self.design_effect), alpha=alpha, power=power)
        return max(1, math.ceil((root / (relative_drop * self.mean)) ** 2))


def design_effect(sizes: NDArray[np.intp], icc: float) -> float:
    """Variance of a mean over clustered queries, relative to that over as many independent queries, at least 1.

    deff = 1 + (m̃ − 1)·ICC, where m̃ = Σm²/Σm is the mean size of a query's cluster. A negative correlation counts as 0.
    Kish 1965.

    Examples
    --------
    >>> design_effect(np.array([5, 5, 5]), 0.1)
    1.4
    """
    typical = float((sizes**2).sum() / sizes.sum())
    return 1.0 + (typical - 1.0) * max(icc, 0.0)


def intra_cluster_correlation(values: Floats, cluster: NDArray[np.intp]) -> float:
    """Share of the variance that the queries of a cluster have in common; negative if they differ more than others.

    The estimator of the one-way analysis of variance. 0 where it is not defined: nothing varies, one cluster, or every
    query a cluster of its own. Donner 1986.

    Parameters
    ----------
    values
        One value for each query, shape (n_queries,).
    cluster
        The cluster of each query, numbered 0, 1, …; same shape.

    Examples
    --------
    >>> intra_cluster_correlation(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1]))
    1.0
    """
    sizes = np.bincount(cluster)
    n, groups = len(values), len(sizes)
    if not 1 < groups < n:
        return 0.0
    means = np.bincount(cluster, values) / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (groups - 1)
    within = float(((values - means[cluster]) ** 2).sum()) / (n - groups)
    size = (n - float((sizes**2).sum()) / n) / (groups - 1)
    total = between + (size - 1) * within
    return (between - within) / total if total > 0 else 0.0


def spread_of_differences(paired: Paired) -> Spread:
    """The spread of the differences between two runs."""
    return _spread(paired, paired.differences, 1.0)


def spread_of_values(paired: Paired, *, correlation: float = CORRELATION) -> Spread:
    """The expected spread if only the baseline exists: σ_d = σ·√(2(1 − ρ)), with the clusters of its values."""
    return _spread(paired, paired.baseline, math.sqrt(2.0 * (1.0 - correlation)))


def _spread(paired: Paired, values: Floats, factor: float) -> Spread:
    deviation = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    return Spread(
        float(paired.baseline.mean()),
        factor * deviation,
        intra_cluster_correlation(values, paired.cluster),
        np.bincount(paired.cluster),
    )
