"""Dense retrieval: cosines of single vectors, exact or over a part of the index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.validity.evaluation_sets import Encode, EvaluationSet
from monitor.model.measurements import Floats


@dataclass(frozen=True, slots=True)
class Dense:
    """Exact search by the cosine of the vectors of query and document."""

    encode: Encode
    prefix: str = ""
    """Written before every query, such as ``query: `` for models trained with it."""

    def scores(self, evaluation_set: EvaluationSet) -> Floats:
        """Cosines, shape (n_queries, n_documents)."""
        questions = [self.prefix + each for each in evaluation_set.questions]
        return np.asarray(self.encode(questions) @ self.encode(evaluation_set.documents).T, np.float64)


@dataclass(frozen=True, slots=True)
class PartialSearch:
    """Search in the nearest cells of an inverted file only, as with a low search effort."""

    encode: Encode
    probes: int
    """Number of cells that a query visits."""
    seed: int = 0

    def scores(self, evaluation_set: EvaluationSet) -> Floats:
        """Cosines; documents in other cells have -∞."""
        import faiss

        documents, questions = self.encode(evaluation_set.documents), self.encode(evaluation_set.questions)
        n_cells = max(2, int(np.sqrt(len(documents))))
        cells = faiss.Kmeans(documents.shape[1], n_cells, seed=self.seed, spherical=True, min_points_per_centroid=1)
        cells.train(np.ascontiguousarray(documents))
        _, cell_of = cells.index.search(np.ascontiguousarray(documents), 1)
        _, visited = cells.index.search(np.ascontiguousarray(questions), min(self.probes, n_cells))
        is_visited = (visited[:, :, None] == cell_of[:, 0][None, None, :]).any(axis=1)
        return np.where(is_visited, questions @ documents.T, -np.inf).astype(np.float64)
