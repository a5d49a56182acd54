"""Hybrid retrieval: the rankings or the scores of several systems in one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.systems.system import System, ranks
from benchmarks.validity.evaluation_sets import EvaluationSet
from monitor.model.measurements import Floats


@dataclass(frozen=True, slots=True)
class ReciprocalRanks:
    """Reciprocal rank fusion: the sum of 1 / (k + rank).

    References
    ----------
    Cormack, Clarke & Büttcher 2009, Reciprocal rank fusion outperforms Condorcet and individual rank learning methods.
    """

    systems: tuple[System, ...]
    k: int = 60

    def scores(self, evaluation_set: EvaluationSet) -> Floats:
        """Fused scores, shape (n_queries, n_documents)."""
        parts = [1 / (self.k + ranks(system.scores(evaluation_set))) for system in self.systems]
        return np.asarray(np.sum(parts, axis=0), np.float64)


@dataclass(frozen=True, slots=True)
class WeightedSum:
    """A convex combination of two systems whose scores are brought to [0, 1] for each query."""

    first: System
    second: System
    weight: float
    """Weight of the second system."""

    def scores(self, evaluation_set: EvaluationSet) -> Floats:
        """Combined scores, shape (n_queries, n_documents)."""
        one, other = (unit_range(each.scores(evaluation_set)) for each in (self.first, self.second))
        return (1 - self.weight) * one + self.weight * other


def unit_range(scores: Floats) -> Floats:
    """The scores of each query stretched to [0, 1].

    Examples
    --------
    >>> unit_range(np.array([[2.0, 4.0, 3.0], [1.0, 1.0, 1.0]])).tolist()
    [[0.0, 1.0, 0.5], [0.0, 0.0, 0.0]]
    """
    low, high = scores.min(axis=1, keepdims=True), scores.max(axis=1, keepdims=True)
    return np.asarray((scores - low) / np.where(high > low, high - low, 1.0), np.float64)
