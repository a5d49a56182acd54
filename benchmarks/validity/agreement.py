"""Agreement of two series of changes over the same swaps: rank correlation and sign."""

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
"""Category of SugarCrepe++ to the most similar phenomenon; the other phenomena have no category."""

SIGN_THRESHOLD = 0.02
"""Our change must have the same sign as a public change beyond this threshold."""

RHO_GOAL = 0.9


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of one of our series with a public one over the swaps."""

    ours: str
    theirs: str
    rho: float
    """Spearman's rank correlation; NaN if a side never changes."""
    n_beyond: int
    """Swaps whose public change is beyond ``TOLD``."""
    contradicted: tuple[str, ...]
    """Those of them with another sign on our side."""

    @property
    def met(self) -> bool:
        """Whether both goals are met: the correlation and all signs."""
        return self.rho >= RHO_GOAL and not self.contradicted


def agreement(ours: str, theirs: str, changes: Mapping[str, Mapping[str, float]]) -> Agreement:
    """Agreement of two series, from the changes of every series under each swap."""
    left, right = ([change[series] for change in changes.values()] for series in (ours, theirs))
    beyond = [name for name, change in changes.items() if abs(change[theirs]) > SIGN_THRESHOLD]
    contradicted = tuple(name for name in beyond if changes[name][ours] * changes[name][theirs] <= 0)
    return Agreement(ours, theirs, rank_correlation(left, right), len(beyond), contradicted)


def rank_correlation(left: Sequence[float], right: Sequence[float]) -> float:
    """Spearman's rho, ties sharing their mean rank; NaN if a side never changes."""
    if len(set(left)) < 2 or len(set(right)) < 2:
        return math.nan
    return float(stats.spearmanr(left, right).statistic)


def correlation_interval(left: NDArray[np.float64], right: NDArray[np.float64]) -> tuple[float, float]:
    """90 % interval of the rank correlation over swaps, over resampled changes, one column each."""
    correlations = [rank_correlation(*columns) for columns in zip(left.T.tolist(), right.T.tolist(), strict=True)]
    low, high = np.quantile(correlations, (0.05, 0.95))
    return float(low), float(high)


def self_correlation(changes: Sequence[float], resampled: NDArray[np.float64]) -> float:
    """Median rank correlation over swaps of a series with itself in other samples: the upper limit of any agreement."""
    return float(np.median([rank_correlation(changes, column) for column in resampled.T.tolist()]))


def shares(rights: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Share of correct choices in each group (a tie is half correct), in order of first appearance."""
    groups: dict[str, list[float]] = defaultdict(list)
    for group, right in rights:
        groups[group].append(right)
    return {group: sum(values) / len(values) for group, values in groups.items()}


def mean_of_groups(means: Mapping[str, float], groups: Iterable[str]) -> float:
    """Mean over groups, each with the same weight whatever its size."""
    group_means = [means[group] for group in groups]
    return math.fsum(group_means) / len(group_means)
