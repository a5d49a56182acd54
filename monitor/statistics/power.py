"""How small a drop could have been seen, and how many queries a smaller one would take."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from monitor.model.measurements import Floats
from monitor.statistics.pairing import Paired

CORRELATION = 0.57
"""Between the values of two deployments on the same queries, where only one run is known.

The simulated swaps of the statistics study have 0.60 (recall@10) and 0.58 (MRR@10), rounded down; real swaps that lose
a few points have more, up to 0.9, so that the effect is rather overstated.
"""

LEAST_MEAN = 0.05
"""Relative changes of a smaller mean are not spoken of."""


def detectable_drop(standard_error: float, *, alpha: float, power: float = 0.8) -> float:
    """Smallest true drop found with the given power by a one-sided test at ``alpha``, in points.

    MDE = (z₁₋α + z_power)·SE, where the standard error already carries the clusters' design effect.

    Examples
    --------
    >>> round(detectable_drop(0.01, alpha=0.05), 4)
    0.0249
    """
    return float((stats.norm.ppf(1 - alpha) + stats.norm.ppf(power)) * standard_error)


def detectable_from(standard_error: float, critical: float, *, power: float = 0.8) -> float:
    """Smallest true drop found with the given power where ``critical`` standard errors are significant, in points.

    Examples
    --------
    >>> round(detectable_from(0.01, 3.5), 4)
    0.0434
    """
    return float((critical + stats.norm.ppf(power)) * standard_error)


@dataclass(frozen=True, slots=True)
class Spread:
    """How much the difference between two runs varies from query to query, on one measure of one stratum."""

    mean: float
    """Mean of the baseline."""
    deviation: float
    """Standard deviation σ_d of a query's difference."""
    icc: float
    """Intra-cluster correlation."""
    sizes: NDArray[np.intp]
    """Queries of each cluster."""

    @property
    def n_queries(self) -> int:
        """Queries of all clusters."""
        return int(self.sizes.sum())

    @property
    def design_effect(self) -> float:
        """How many queries in these clusters tell as much as one independent query, at least 1."""
        return design_effect(self.sizes, self.icc)

    def detectable(self, *, alpha: float, power: float = 0.8) -> float:
        """Smallest true drop found with the given power, in points: (z₁₋α + z_power)·σ_d·√(deff/n).

        NaN where nothing varied: that says nothing of what a change would do.

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
        """Queries, in clusters of the same sizes, that find a drop of this share of the mean.

        None where nothing varied, or the mean is below `LEAST_MEAN`.

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
    """Variance of a mean over clustered queries in units of that over as many independent ones, at least 1.

    deff = 1 + (m̃ − 1)·ICC, where m̃ = Σm²/Σm is the mean size of the cluster that a query is in; with equal sizes it is
    their size. A negative correlation is taken as none. Kish 1965.

    Examples
    --------
    >>> design_effect(np.array([5, 5, 5]), 0.1)
    1.4
    """
    typical = float((sizes**2).sum() / sizes.sum())
    return 1.0 + (typical - 1.0) * max(icc, 0.0)


def intra_cluster_correlation(values: Floats, cluster: NDArray[np.intp]) -> float:
    """Share of the variance that the queries of a cluster have in common; below 0 if they differ more than strangers.

    The estimator of the one-way analysis of variance. 0 where it cannot be told: nothing varies, one cluster, or every
    query a cluster of its own. Donner 1986.

    Parameters
    ----------
    values
        One value for each query, shape (n_queries,).
    cluster
        The cluster of each, numbered 0, 1, …; same shape.

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
    """The spread of what two runs differ in, query by query."""
    return _spread(paired, paired.differences, 1.0)


def spread_of_values(paired: Paired, *, correlation: float = CORRELATION) -> Spread:
    """The spread to expect where only the baseline is known: σ_d = σ·√(2(1 − ρ)), clusters as in its own values."""
    return _spread(paired, paired.baseline, math.sqrt(2.0 * (1.0 - correlation)))


def _spread(paired: Paired, values: Floats, factor: float) -> Spread:
    deviation = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    return Spread(
        float(paired.baseline.mean()),
        factor * deviation,
        intra_cluster_correlation(values, paired.cluster),
        np.bincount(paired.cluster),
    )
