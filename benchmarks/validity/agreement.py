"""Whether two rulers tell the same of a sequence of swaps: rank correlation and sign."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

COUNTERPARTS = {
    "swap_obj": "role-swap",
    "swap_att": "modifier-binding",
    "replace_rel": "spatial",
    "replace_att": "numeric-unit",
    "replace_obj": "entity-substitution",
}
"""Category of SugarCrepe++ to the phenomenon that breaks a sentence most alike; the other phenomena have none."""

TOLD = 0.02
"""A public change beyond this many points must have its sign on our side too."""

RHO_GOAL = 0.9


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one of our series follows a public one over the swaps."""

    ours: str
    theirs: str
    rho: float
    """Spearman's rank correlation; NaN if a side never changes."""
    n_told: int
    """Swaps whose public change is beyond ``TOLD``."""
    contradicted: tuple[str, ...]
    """Those of them on which our change does not have the same sign."""

    @property
    def met(self) -> bool:
        """Whether both goals are: the correlation, and every sign."""
        return self.rho >= RHO_GOAL and not self.contradicted


def agreement(ours: str, theirs: str, changes: Mapping[str, Mapping[str, float]]) -> Agreement:
    """Agreement of two series, from the changes of every series under each swap."""
    left, right = ([change[series] for change in changes.values()] for series in (ours, theirs))
    told = [name for name, change in changes.items() if abs(change[theirs]) > TOLD]
    contradicted = tuple(name for name in told if changes[name][ours] * changes[name][theirs] <= 0)
    return Agreement(ours, theirs, rank_correlation(left, right), len(told), contradicted)


def rank_correlation(left: Sequence[float], right: Sequence[float]) -> float:
    """Spearman's rho, ties sharing their mean rank; NaN if a side never changes."""
    if len(set(left)) < 2 or len(set(right)) < 2:
        return math.nan
    return float(stats.spearmanr(left, right).statistic)


def correlation_interval(left: NDArray[np.float64], right: NDArray[np.float64]) -> tuple[float, float]:
    """90 % interval of the rank correlation over swaps, from one column of changes for each other sample."""
    correlations = [rank_correlation(*columns) for columns in zip(left.T.tolist(), right.T.tolist(), strict=True)]
    low, high = np.quantile(correlations, (0.05, 0.95))
    return float(low), float(high)


def self_correlation(changes: Sequence[float], resampled: NDArray[np.float64]) -> float:
    """Median rank correlation over swaps of a series with itself in other samples: more cannot be asked of it."""
    return float(np.median([rank_correlation(changes, column) for column in resampled.T.tolist()]))


def shares(rights: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Share of what is right in each group (a tie is half right), groups in the order in which they come."""
    groups: dict[str, list[float]] = defaultdict(list)
    for group, right in rights:
        groups[group].append(right)
    return {group: sum(values) / len(values) for group, values in groups.items()}


def mean_of_groups(means: Mapping[str, float], groups: Iterable[str]) -> float:
    """Mean over groups, each counting the same however large it is."""
    chosen = [means[group] for group in groups]
    return math.fsum(chosen) / len(chosen)
