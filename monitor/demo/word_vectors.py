"""Vectors of the fast demo without a neural model: word statistics of a corpus, projected at random.

A text is its words, their beginnings and neighbouring pairs, weighted by how rare they are (TF-IDF), projected to 512
numbers (Achlioptas 2003). Such vectors find documents by shared words alone.
"""

from __future__ import annotations

import itertools
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

SIZE, FEATURES, STEM, STEPS = 512, 1 << 14, 5, 4096
_WORD = re.compile(r"[^\W_]+")


class WordVectors:
    """A model of a corpus; `encode` gives unit vectors, as a model of sentence-transformers does."""

    def __init__(self, corpus: Sequence[str], *, seed: int = 0) -> None:
        counted = Counter(feature for text in corpus for feature in set(features(text)))
        self._rarity = np.zeros(FEATURES, np.float32)
        for feature, count in counted.items():
            self._rarity[feature] = math.log((len(corpus) + 1) / (count + 1))
        signs = np.random.default_rng(seed).integers(0, 2, (FEATURES, SIZE), dtype=np.int8)
        self._projection = np.asarray(2 * signs - 1, np.float32) / np.float32(math.sqrt(SIZE))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One unit vector for each text, shape (texts, 512)."""
        vectors = np.stack([self._vector(text) for text in texts])
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(norms > 0, norms, 1.0), np.float32)

    def _vector(self, text: str) -> Vectors:
        counts = Counter(features(text))
        if not counts:
            return np.zeros(SIZE, np.float32)
        places = np.fromiter(counts, np.intp, len(counts))
        weights = np.array([1 + math.log(count) for count in counts.values()], np.float32) * self._rarity[places]
        return np.asarray(weights @ self._projection[places], np.float32)


class ExactIndex:
    """Exact inner-product search, with the interface of a FAISS index."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = _whole_numbers(vectors)

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Scores and places of the ``k`` nearest vectors of each query, best first."""
        scores = _whole_numbers(queries) @ self._vectors.T / STEPS**2
        places = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, places, axis=1), axis=1, kind="stable")
        places = np.take_along_axis(places, order, axis=1)
        return np.take_along_axis(scores, places, axis=1), places


def _whole_numbers(vectors: Vectors) -> NDArray[np.float64]:
    """Coordinates in steps of 1/4096: sums of whole numbers are exact, so that a score depends on no batch."""
    return np.rint(np.asarray(vectors, np.float64) * STEPS)


def features(text: str) -> Iterable[int]:
    """Numbers of the words of a text, of their first five letters, and of neighbouring words."""
    words = _WORD.findall(text.casefold())
    pairs = [f"{first} {second}" for first, second in itertools.pairwise(words)]
    return [zlib.crc32(each.encode()) % FEATURES for each in (*words, *(f"{word[:STEM]}…" for word in words), *pairs)]
