"""Is the difference more than chance? Cluster sign flips, step-down max-T and intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from monitor.model.measurements import Floats
from monitor.statistics.pairing import Paired

TIE = 1e-9
"""Studentised sums closer than this are ties; without it, rounding would break exact ties at random."""

_CHUNK = 256
"""Flips drawn at a time; more would only take more memory."""


def cluster_sums(family: Sequence[Paired]) -> Floats:
    """Sums of differences, shape (clusters of the whole family, hypotheses).

    Hypotheses that share a cluster share its row, so that flipping a cluster's sign flips it everywhere.
    """
    keys = [[f"{paired.suite}\x1f{name}" for name in paired.cluster_names] for paired in family]
    row = {key: index for index, key in enumerate(dict.fromkeys(key for names in keys for key in names))}
    sums = np.zeros((len(row), len(family)))
    for column, (paired, names) in enumerate(zip(family, keys, strict=True)):
        sums[[row[name] for name in names], column] = paired.sum_by_cluster(paired.differences)
    return sums


def sign_flips(sums: Floats, *, resamples: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Studentised sums S / √ΣS² as observed, and as they would be if each cluster's sign were a coin flip.

    The null hypothesis is that the differences of each cluster are symmetric about zero. A cluster's sign is
    flipped in all hypotheses at once, so that their correlation is kept.

    Parameters
    ----------
    sums
        Shape (n_clusters, n_hypotheses).
    resamples
        Number of sign flips.
    rng
        Source of the signs: the same generator state gives the same flips.

    Returns
    -------
    observed, null
        Shapes (n_hypotheses,) and (resamples, n_hypotheses); all zero for a hypothesis in which nothing changed.
    """
    sums = sums[np.any(sums != 0, axis=1)]  # a cluster in which nothing changed has no sign to flip
    norms = np.sqrt((sums**2).sum(axis=0))
    scaled = np.divide(sums, norms, out=np.zeros_like(sums), where=norms > 0)
    observed = scaled.sum(axis=0)
    null = np.empty((resamples, sums.shape[1]))
    for start in range(0, resamples, _CHUNK):
        chunk = null[start : start + _CHUNK]
        chunk[:] = observed - 2.0 * (_coins(len(chunk), len(sums), rng) @ scaled)
    return observed, null


def step_down(observed: Floats, null: Floats) -> tuple[Floats, Floats]:
    """One-sided p-values that a sum is above zero: raw, and adjusted over the family by step-down max-T.

    p = (count + 1) / (resamples + 1), never 0. The adjusted values hold the family-wise error with
    more power than a bound that ignores correlation. For “below zero” pass both arguments negated.

    Returns
    -------
    raw, adjusted
        Shape (n_hypotheses,) each. A hypothesis in which nothing changed has p = 1.

    References
    ----------
    Westfall & Young 1993, algorithm 2.8; Phipson & Smyth 2010.

    Examples
    --------
    >>> sums = np.array([[1.0, 0.0]] * 20)
    >>> raw, adjusted = step_down(*sign_flips(sums, resamples=999, rng=np.random.default_rng(1)))
    >>> raw.tolist(), adjusted.tolist()
    ([0.001, 1.0], [0.001, 1.0])
    """
    order = np.argsort(-observed, kind="stable")
    successive = np.maximum.accumulate(null[:, order[::-1]], axis=1)[:, ::-1]
    adjusted = np.empty_like(observed)
    adjusted[order] = np.maximum.accumulate(_share_exceeding(successive, observed[order]))
    return _share_exceeding(null, observed), adjusted


def holm(p_values: Floats) -> Floats:
    """p-values adjusted over the family by Holm's step-down Bonferroni, an upper bound on step-down max-T.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    return np.minimum(adjusted, 1.0)


def _share_exceeding(null: Floats, observed: Floats) -> Floats:
    exceeded: Floats = ((null >= observed - TIE).sum(axis=0) + 1.0) / (len(null) + 1.0)
    return exceeded


def interval(paired: Paired, *, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided t interval of the mean difference, with clusters as the units.

    The mean is a ratio of cluster sums to cluster sizes; its standard error is that of the residuals
    S_g − n_g·d̄. With one cluster, or none, the interval is infinite; it is a point where nothing changed.
    """
    if not paired.differences.any():
        return 0.0, 0.0
    if paired.n_clusters < 2:
        return float("-inf"), float("inf")
    mean = float(paired.differences.mean())
    half = float(stdtrit(paired.n_clusters - 1, (1 + confidence) / 2)) * standard_error(paired)
    return mean - half, mean + half


def standard_error(paired: Paired) -> float:
    """Standard error of the mean difference with clusters as the units; 0 when nothing changed, NaN for one cluster."""
    count = paired.n_clusters
    if count < 2:
        return float("nan")
    sizes = paired.sum_by_cluster(np.ones(paired.n_queries))
    residuals = paired.sum_by_cluster(paired.differences) - sizes * paired.differences.mean()
    return float(np.sqrt(count / (count - 1) * (residuals**2).sum()) / paired.n_queries)


def _coins(rows: int, columns: int, rng: np.random.Generator) -> Floats:
    """Fair coins, 0 or 1, shape (rows, columns); eight of them from each random byte."""
    packed = np.frombuffer(rng.bytes(rows * -(-columns // 8)), np.uint8).reshape(rows, -1)
    return np.unpackbits(packed, axis=1, count=columns).astype(np.float64)
