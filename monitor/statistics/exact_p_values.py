"""p-values of the sign-flip test without sampling, smaller than any sample of flips can show."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from monitor.model.measurements import Floats

LATTICE_LIMIT, SADDLEPOINT_FROM, EFFECTIVE_FROM, GRID_UP_TO = 4_000_000, 100, 35.0, 1_000
_UNITS = (1, 2, 6, 12, 60, 420, 2520)
"""Denominators of the measures' values: 2,520 is the least common multiple of the ranks 1 to 10."""
_GRID = 2**16


def sign_flip_p(sums: Floats) -> float:
    """p-value of the one-sided sign-flip test that the sums' total is above zero.

    Null hypothesis: each sum is symmetric about zero. p = P(Σ ±|S| ≥ ΣS) over all sign patterns, the observed
    one among them, so that it is never below 2⁻ⁿ.

    The method is chosen by size. Where the sums are multiples of a common fraction, as those of recall, hits,
    pairs and reciprocal ranks are, their distribution is convolved exactly while that takes less than a few
    million additions. Else, from 100 non-zero sums on of which no few dominate, it is Lugannani and Rice's
    saddlepoint approximation, and otherwise a convolution on a fine grid with the rounding counted against
    significance.

    Parameters
    ----------
    sums
        Shape (n,): one sum of differences for each cluster. For “below zero” pass them negated.

    References
    ----------
    Robinson 1982; Davison & Hinkley 1988; Lugannani & Rice 1980.

    Examples
    --------
    >>> sign_flip_p(np.array([1.0, 1.0, 1.0]))
    0.125
    >>> sign_flip_p(np.ones(200)) == 2.0**-200
    True
    """
    if not np.isfinite(sums).all():
        raise ValueError("a sum is not a finite number")
    sums = sums[sums != 0]
    if not len(sums):
        return 1.0
    unit = _unit(sums)
    if unit and len(sums) * np.abs(sums).sum() / unit <= LATTICE_LIMIT:
        return _convolved(np.abs(sums) / unit, sums.sum() / unit, slack=0.0)
    if len(sums) >= SADDLEPOINT_FROM and (_effective(sums) >= EFFECTIVE_FROM or len(sums) > GRID_UP_TO):
        return _saddlepoint(np.abs(sums), float(sums.sum()))
    unit = float(np.abs(sums).sum()) / _GRID
    return _convolved(np.abs(sums) / unit, sums.sum() / unit, slack=len(sums) / 2)


def _unit(sums: Floats) -> float:
    """The fraction of which all sums are multiples; 0 if there is none."""
    for denominator in _UNITS:
        whole = np.round(sums * denominator)
        if whole.all() and np.abs(sums * denominator - whole).max() < 1e-9:
            return 1.0 / denominator
    return 0.0


def _effective(sums: Floats) -> float:
    """How many equally large sums would be as close to normal as these: (ΣS²)²/ΣS⁴."""
    squares = (sums / np.abs(sums).max()) ** 2
    return float(squares.sum() ** 2 / (squares @ squares))


def _convolved(sizes: Floats, total: float, *, slack: float) -> float:
    """P(Σ ±size ≥ total − slack) for whole sizes, by convolution; all terms are positive, so the tail is exact."""
    steps = np.sort(np.round(sizes).astype(np.int64))
    # With b the share of positive signs, Σ ±size = 2 Σ b·size − Σ size.
    chance = np.zeros(int(steps.sum()) + 1)
    chance[0], reached = 1.0, 0
    for step in steps.tolist():
        chance[step : reached + step + 1] += chance[: reached + 1].copy()
        chance[: reached + step + 1] *= 0.5
        reached += step
    least = math.ceil((total - slack + reached) / 2 - 1e-6)
    return min(1.0, float(chance[max(least, 0) :].sum()))


def _saddlepoint(sizes: Floats, total: float) -> float:
    if total <= 0:
        return 1.0 - _saddlepoint(sizes, -total) if total < 0 else 0.5
    least = len(sizes) * -math.log(2.0)
    sizes, count = np.unique(sizes, return_counts=True)
    scale = math.sqrt(float(count @ sizes**2))
    sizes, target = sizes / scale, total / scale
    if target > float(count @ sizes) - 0.5 * float(sizes.min()):  # every sign but perhaps none positive
        return max(math.exp(least), math.ulp(0.0))

    def shortfall(tilt: float) -> float:
        return float((count * sizes) @ np.tanh(tilt * sizes)) - target

    upper = 1.0
    while shortfall(upper) < 0:
        upper *= 2.0
    from scipy.optimize import brentq  # costs a tenth of a second that most commands do not need

    tilt = brentq(shortfall, 0.0, upper, xtol=1e-12)
    angle = tilt * sizes
    # log cosh, without overflowing
    cumulant = float(count @ (np.logaddexp(angle, -angle) - math.log(2.0)))
    curvature = float((count * sizes**2) @ (1.0 - np.tanh(angle) ** 2))
    root = math.sqrt(max(2.0 * (tilt * target - cumulant), 0.0))
    if root < 1e-4:
        return 0.5
    log_tail = float(special.log_ndtr(-root))
    ratio = math.exp(-0.5 * root**2 - 0.5 * math.log(2.0 * math.pi) - log_tail)
    correction = 1.0 + ratio * (1.0 / (tilt * math.sqrt(curvature)) - 1.0 / root)
    return min(1.0, max(math.exp(max(log_tail + math.log(correction), least)), math.ulp(0.0)))
