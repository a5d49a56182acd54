"""BM25: the match between the words of a query and those of documents, as a lexical search scores it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from monitor.model.measurements import Floats

_WORD = re.compile(r"\w+")


class WordIndex:
    """BM25 over a few documents, with the idf of Lucene.

    The parameters of a retriever are unknown. They are not needed to recognise a change of hybrid weights: only the
    order of the matches matters.

    References
    ----------
    Robertson & Zaragoza 2009, The probabilistic relevance framework: BM25 and beyond, equation 3.15.
    """

    def __init__(self, documents: Sequence[str], *, k1: float = 0.9, b: float = 0.4) -> None:
        counted = [Counter(_WORD.findall(text.lower())) for text in documents]
        self._numbers: dict[str, int] = {}
        places = [[self._numbers.setdefault(word, len(self._numbers)) for word in each] for each in counted]
        lengths = np.array([each.total() for each in counted], np.float64)
        rows = np.repeat(np.arange(len(counted)), [len(each) for each in places])
        columns = np.array([number for each in places for number in each], np.intp)
        counts = np.array([count for each in counted for count in each.values()], np.float64)
        with_word = np.bincount(columns, minlength=len(self._numbers))
        rarity = np.log1p((len(counted) - with_word + 0.5) / (with_word + 0.5))
        length = 1 - b + b * lengths / max(float(lengths.mean()), 1.0)
        weights = rarity[columns] * counts * (k1 + 1) / (counts + k1 * length[rows])
        self._weights: Any = csr_array((weights, (rows, columns)), shape=(len(counted), len(self._numbers)))

    def match(self, queries: Sequence[str]) -> Floats:
        """Match of each document with each query, shape (n_queries, n_documents), in [0, 1].

        The best document of a query has 1; documents without a word of the query have 0.

        Examples
        --------
        >>> WordIndex(["a red hat", "a blue hat", "rain"]).match(["the red one", "snow"]).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
        """
        words = [sorted({*_WORD.findall(text.lower())} & self._numbers.keys()) for text in queries]
        rows = np.repeat(np.arange(len(words)), [len(each) for each in words])
        columns = np.array([self._numbers[word] for each in words for word in each], np.intp)
        terms: Any = csr_array((np.ones(len(columns)), (rows, columns)), shape=(len(words), len(self._numbers)))
        scores = (terms @ self._weights.T).toarray()
        best = scores.max(axis=1, keepdims=True)
        return np.asarray(scores / np.where(best > 0, best, 1.0), np.float64)
