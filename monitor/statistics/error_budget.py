"""The yearly budget of false pages, and the part of it that each look spends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

EQUAL_LOOKS = 10
"""Silent looks of a year that get equal parts of half the error budget."""


def alpha_of_silent_look(number: int, *, alpha_page: float, alpha_year: float) -> float:
    """Error level of the n-th silent look of a year, never more than ``alpha_page``.

    The first ten get α_year/20 each; the later ones share the other half of the year's budget, 6/(π²(n − 10)²) of it
    each. Summed over any number of looks this is at most α_year.

    Examples
    --------
    >>> [round(alpha_of_silent_look(n, alpha_page=0.01, alpha_year=0.05), 6) for n in (1, 10, 11, 20)]
    [0.0025, 0.0025, 0.01, 0.000152]
    """
    if number <= EQUAL_LOOKS:
        return min(alpha_page, alpha_year / (2 * EQUAL_LOOKS))
    return min(alpha_page, alpha_year / 2 * 6 / (math.pi**2 * (number - EQUAL_LOOKS) ** 2))


def can_reach(alpha: float, changed_clusters: int) -> bool:
    """Whether a sign-flip test over this many changed clusters can have a p-value of ``alpha`` or less.

    With k changed clusters there are 2^k sign patterns, so that p ≥ 2^−k. A change that cannot page spends nothing.

    Examples
    --------
    >>> can_reach(0.0025, 8), can_reach(0.0025, 9)
    (False, True)
    """
    return changed_clusters >= 60 or 2.0**-changed_clusters <= alpha


def within_a_year(looks: Sequence[datetime], now: datetime) -> tuple[datetime, ...]:
    """Those looks that still count."""
    return tuple(each for each in looks if now - each < timedelta(days=365))
