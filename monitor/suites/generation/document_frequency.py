"""Document frequencies of the words of a corpus, and BM25 weights derived from them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from monitor.suites.generation.words import Word

K1, B = 1.2, 0.75


class DocumentFrequencies:
    """Document frequencies, counted in one pass over the documents."""

    def __init__(self) -> None:
        self._frequency: Counter[str] = Counter()
        self._n_documents = 0
        self._n_words = 0

    def count(self, words: Sequence[Word]) -> None:
        """Count the words of one document."""
        self._n_documents += 1
        self._n_words += len(words)
        self._frequency.update({word.term for word in words})

    def frequency(self, term: str) -> int:
        """The number of documents that contain a term."""
        return self._frequency[term]

    def inverse_frequency(self, term: str) -> float:
        """Inverse document frequency as in BM25; never negative."""
        frequency = self._frequency[term]
        return math.log(1 + (self._n_documents - frequency + 0.5) / (frequency + 0.5))

    def weights(self, words: Iterable[Word]) -> dict[str, float]:
        """BM25 weight of each term in one document. Robertson & Zaragoza 2009, eq. 3.15."""
        counts = Counter(word.term for word in words)
        length = counts.total() * self._n_documents / max(self._n_words, 1)
        return {
            term: self.inverse_frequency(term) * count * (K1 + 1) / (count + K1 * (1 - B + B * length))
            for term, count in counts.items()
        }
