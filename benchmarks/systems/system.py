"""A retrieval system over a whole corpus, and its measured run of a suite."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from benchmarks.validity.evaluation_sets import EvaluationSet, run_of
from monitor.evaluation.measures import REPORTED
from monitor.evaluation.scoring import run_depth
from monitor.model.measurements import Floats, Measured


class System(Protocol):
    """Scores of all documents for all queries; more is better, and -∞ is not retrieved."""

    def scores(self, evaluation_set: EvaluationSet) -> Floats:
        """Shape (n_queries, n_documents)."""
        ...


def best(scores: Floats, depth: int) -> np.ndarray:
    """Places of the best documents of each query, best first; ties keep the order of the corpus.

    Examples
    --------
    >>> best(np.array([[0.1, 0.9, 0.9]]), 2).tolist()
    [[1, 2]]
    """
    return np.argsort(-scores, axis=1, kind="stable")[:, :depth]


def ranks(scores: Floats) -> Floats:
    """Rank of each document for each query, from 1."""
    order = np.argsort(-scores, axis=1, kind="stable")
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(1, scores.shape[1] + 1)[None, :], axis=1)
    return places.astype(np.float64)


def measure_system(evaluation_set: EvaluationSet, system: System) -> Measured:
    """The measured run of a system on the suite and the corpus of an evaluation set."""
    depth = min(run_depth(evaluation_set.suite, REPORTED), len(evaluation_set.documents))
    scores = system.scores(evaluation_set)
    rows = best(scores, depth)
    return run_of(evaluation_set, rows, np.take_along_axis(scores, rows, axis=1), depth)
