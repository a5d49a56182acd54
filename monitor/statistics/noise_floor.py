"""The noise floor of a target, from replays of one deployment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import gammaincinv

from monitor.model.measurements import Floats
from monitor.model.noise import Noise


def noise_floor(replays: Sequence[Mapping[str, float]], shares_changed: Sequence[float], *, queries: int) -> Noise:
    """The noise floor that replays of one deployment show.

    The standard deviation of a run's mean is taken at its upper 95 % bound, σ̂·√((K−1)/χ²₀.₀₅)·√(1 + 1/K), because
    too small a floor raises false alarms; where neighbouring replays correlate (lag-1 above 0.1), from their long-run
    variance (Newey & West 1987, up to 24 lags) and 1.3 times that.

    Parameters
    ----------
    replays
        For each replay, the mean of every series. K = len(replays) ≥ 2.
    shares_changed
        For each replay after the first, the share of rankings that differ from the first.
    queries
        Queries in each replay.

    Examples
    --------
    >>> floor = noise_floor([{"a": 0.5}, {"a": 0.5}], [0.0], queries=10)
    >>> floor.is_deterministic, floor.deviations
    (True, {'a': 0.0})
    """
    names = replays[0]
    deviations = {name: _deviation(np.array([each[name] for each in replays])) for name in names}
    means = {name: float(np.mean([each[name] for each in replays])) for name in names}
    return Noise(
        replays=len(replays),
        queries=queries,
        share_changed=max(shares_changed, default=0.0),
        deviations=deviations,
        means=means,
    )


def own_noise(replays: Floats, *, size: int) -> float:
    """Standard deviation of the mean of ``size`` values, from replays of some of the queries.

    Between two replays of one deployment only noise differs, so that the variance within each query is its own noise:
    σ̂² = mean over queries of the sample variance, at the upper 95 % bound of χ² with n(K−1) degrees of freedom, divided
    by ``size``. Queries vary independently; where the means of whole replays vary more than that, beyond the 95 %
    bound of χ² with K − 1 degrees of freedom, something moves all of them and the spread of the means counts.

    Parameters
    ----------
    replays
        Scores, shape (K replays ≥ 2, n queries).
    size
        Values in a whole run.

    Examples
    --------
    >>> round(own_noise(np.array([[0.0, 1.0], [1.0, 1.0]]), size=100), 3)
    0.221
    """
    count, queries = replays.shape
    freedom = queries * (count - 1)
    variance = float(replays.var(axis=0, ddof=1).mean())
    bound = freedom / _chi2_quantile(0.05, freedom)
    independent = variance * bound / size
    observed = float(replays.mean(axis=1).var(ddof=1)) * queries / size
    if count > 2 and observed > independent * _chi2_quantile(0.95, count - 1) / (count - 1):
        return _deviation(replays.mean(axis=1))
    return math.sqrt(independent)


def _deviation(means: Floats) -> float:
    count = len(means)
    centred = means - means.mean()
    variance = float(centred @ centred) / (count - 1)
    # Equal means leave a rounding error, and a spread of rounding errors correlates with nothing.
    if variance < 1e-24:
        return 0.0
    sigma = math.sqrt(variance)
    if float(centred[1:] @ centred[:-1]) / float(centred @ centred) > 0.1:
        sigma = 1.3 * math.sqrt(max(_long_run_variance(centred), variance))
    bound = math.sqrt((count - 1) / _chi2_quantile(0.05, count - 1))
    return sigma * bound * math.sqrt(1 + 1 / count)


def _long_run_variance(centred: Floats) -> float:
    count = len(centred)
    lags = min(24, count - 1)
    total = float(centred @ centred)
    for lag in range(1, lags + 1):
        total += 2 * (1 - lag / (lags + 1)) * float(centred[lag:] @ centred[:-lag])
    return total / (count - 1)


def _chi2_quantile(share: float, freedom: float) -> float:
    return float(2 * gammaincinv(freedom / 2, share))
