"""Cluster bootstrap of the changes of a series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 1_000


@dataclass(frozen=True, slots=True)
class Sample:
    """The values behind the mean of a series: one for each query, in clusters, in groups of equal weight."""

    groups: NDArray[Any]
    clusters: NDArray[Any]
    values: NDArray[np.float64]


def sample(rows: Iterable[tuple[str, str, float]]) -> Sample:
    """The sample of these groups, clusters and values."""
    groups, clusters, values = zip(*rows, strict=True)
    return Sample(np.array(groups), np.array(clusters), np.array(values, float))


def resampled_changes(before: Sample, after: Sequence[Sample], rng: np.random.Generator) -> NDArray[np.float64]:
    """Changes of the mean of groups, whole clusters drawn with replacement within their group; shape (swaps, draws)."""
    differences = np.array([each.values - before.values for each in after])
    means = []
    for group in np.unique(before.groups):
        of = before.groups == group
        clusters, cluster = np.unique(before.clusters[of], return_inverse=True)
        weights = rng.multinomial(len(clusters), np.full(len(clusters), 1 / len(clusters)), size=DRAWS)
        weights = weights[:, cluster]
        means.append(differences[:, of] @ weights.T / weights.sum(axis=1))
    return np.asarray(np.mean(means, axis=0))
