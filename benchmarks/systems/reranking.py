"""Retrieve with one system, then reorder its best documents with another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.systems.system import System, best, ranks
from benchmarks.validity.evaluation_sets import EvaluationSet
from monitor.model.measurements import Floats


@dataclass(frozen=True, slots=True)
class Reranked:
    """The best documents of the first system in the order of the second, before all others in the first order."""

    first: System
    second: System
    depth: int = 50

    def scores(self, evaluation_set: EvaluationSet) -> Floats:
        """Scores above 0 for reordered documents, below 0 for the others."""
        first = self.first.scores(evaluation_set)
        rows = best(first, self.depth)
        reordered = -ranks(first)
        inner = 1 / ranks(self.second.scores(evaluation_set))
        np.put_along_axis(reordered, rows, np.take_along_axis(inner, rows, axis=1), axis=1)
        return reordered
