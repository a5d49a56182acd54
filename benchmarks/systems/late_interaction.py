"""Late interaction: the sum of the best match of each query token among the tokens of a document (MaxSim)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.systems.system import System, best
from benchmarks.validity.evaluation_sets import EvaluationSet, Vectors
from monitor.model.measurements import Floats

EncodeTokens = Callable[[Sequence[str]], Sequence[Vectors]]
"""Texts to one array of unit vectors each, shape (n_tokens, n_dimensions)."""


@dataclass(frozen=True, slots=True)
class LateInteraction:
    """MaxSim over the candidates of another system.

    References
    ----------
    Khattab & Zaharia 2020, ColBERT: efficient and effective passage search via contextualized late interaction.
    """

    candidates: System
    encode_tokens: EncodeTokens
    depth: int = 50

    def scores(self, evaluation_set: EvaluationSet) -> Floats:
        """Mean of the best matches in [-1, 1]; documents that are no candidates have -∞."""
        rows = best(self.candidates.scores(evaluation_set), self.depth)
        documents = self.encode_tokens(evaluation_set.documents)
        questions = self.encode_tokens(evaluation_set.questions)
        scores = np.full((len(questions), len(documents)), -np.inf)
        for query, places in enumerate(rows):
            for place in places:
                scores[query, place] = max_sim(questions[query], documents[place])
        return scores


def max_sim(question: Vectors, document: Vectors) -> float:
    """Mean over the tokens of the question of the best cosine with a token of the document.

    Examples
    --------
    >>> right, up = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    >>> max_sim(np.vstack([right, up]), right)
    0.5
    """
    return float((question @ document.T).max(axis=1).mean())
