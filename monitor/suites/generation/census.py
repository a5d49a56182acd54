"""How common each word of a corpus is, and so how much it tells about a document that has it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from monitor.suites.generation.words import Word

K1, B = 1.2, 0.75


class Census:
    """Document frequencies, counted while the documents pass by."""

    def __init__(self) -> None:
        self._frequency: Counter[str] = Counter()
        self._n_documents = 0
        self._n_words = 0

    def count(self, words: Sequence[Word]) -> None:
        """Take a document into account."""
        self._n_documents += 1
        self._n_words += len(words)
        self._frequency.update({word.term for word in words})

    def frequency(self, term: str) -> int:
        """In how many documents a term stands."""
        return self._frequency[term]

    def rarity(self, term: str) -> float:
        """BM25's inverse document frequency, which is never negative."""
        frequency = self._frequency[term]
        return math.log(1 + (self._n_documents - frequency + 0.5) / (frequency + 0.5))

    def weights(self, words: Iterable[Word]) -> dict[str, float]:
        """How much each content word tells about its document, by BM25. Robertson & Zaragoza 2009, eq. 3.15."""
        counts = Counter(word.term for word in words)
        length = counts.total() * self._n_documents / max(self._n_words, 1)
        return {
            term: self.rarity(term) * count * (K1 + 1) / (count + K1 * (1 - B + B * length))
            for term, count in counts.items()
        }
