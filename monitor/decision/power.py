"""How small a drop could have been seen."""

from __future__ import annotations

from scipy import stats


def detectable_drop(standard_error: float, *, alpha: float, power: float = 0.8) -> float:
    """Smallest true drop found with the given power by a one-sided test at ``alpha``, in points.

    MDE = (z₁₋α + z_power)·SE, where the standard error already carries the clusters' design effect.

    Examples
    --------
    >>> round(detectable_drop(0.01, alpha=0.05), 4)
    0.0249
    """
    return float((stats.norm.ppf(1 - alpha) + stats.norm.ppf(power)) * standard_error)
