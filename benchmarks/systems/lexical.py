"""Lexical retrieval by BM25."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.validity.evaluation_sets import EvaluationSet
from monitor.diagnosis.bm25 import WordIndex
from monitor.model.measurements import Floats


@dataclass(frozen=True, slots=True)
class Lexical:
    """BM25 over words, with the parameters of Anserini by default."""

    k1: float = 0.9
    b: float = 0.4

    def scores(self, evaluation_set: EvaluationSet) -> Floats:
        """The match of each document, in [0, 1]; the best document of a query has 1."""
        return WordIndex(evaluation_set.documents, k1=self.k1, b=self.b).match(evaluation_set.questions)
