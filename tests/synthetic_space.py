"""A retriever of random vectors for tests: what its canaries show, and what one can do to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.model.runs import Ranking
from monitor.model.snapshots import Embedded, Rankings, Snapshot

N_DOCUMENTS, N_QUERIES, N_DIMENSIONS, DEPTH = 400, 120, 24, 10


def unit(vectors: np.ndarray) -> np.ndarray:
    """The vectors brought to unit length."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@dataclass(frozen=True)
class Space:
    """Queries that are near documents, and how they are searched."""

    queries: np.ndarray
    texts: np.ndarray
    """Documents as the query encoder embeds them."""
    stored: np.ndarray
    doc_ids: tuple[str, ...]
    k: int = DEPTH
    hidden: frozenset[str] = frozenset()
    missed: float = 0.0
    """Share of the hits that an approximate search misses by chance."""
    jitter: float = 0.0

    @classmethod
    def random(cls, seed: int) -> "Space":
        """A space of its own for each seed."""
        rng = np.random.default_rng(seed)
        documents = unit(rng.normal(size=(N_DOCUMENTS, N_DIMENSIONS)))
        near = documents[rng.choice(N_DOCUMENTS, N_QUERIES)]
        queries = unit(near + 0.1 * rng.normal(size=near.shape))
        return cls(queries, documents, documents, tuple(f"d{row}" for row in range(N_DOCUMENTS)))

    def mapped(self, matrix: np.ndarray) -> "Space":
        """Queries and documents by another model: a linear map of the vectors."""
        texts = unit(self.texts @ matrix)
        return replace(self, queries=unit(self.queries @ matrix), texts=texts, stored=texts)

    def without(self, rows: Sequence[int]) -> "Space":
        """The same after these documents were deleted."""
        ids = tuple(doc_id for row, doc_id in enumerate(self.doc_ids) if row not in set(rows))
        return replace(self, texts=np.delete(self.texts, rows, 0), stored=np.delete(self.stored, rows, 0), doc_ids=ids)

    def search(self, vectors: np.ndarray, rng: np.random.Generator) -> list[Ranking]:
        """The rankings of these vectors."""
        scores = vectors @ self.stored.T
        scores = scores + self.jitter * rng.normal(size=scores.shape)
        scores = np.where(rng.random(scores.shape) < self.missed, -np.inf, scores)
        scores[:, [row for row, doc_id in enumerate(self.doc_ids) if doc_id in self.hidden]] = -np.inf
        places = np.argsort(-scores, axis=1)[:, : self.k]
        return [
            Ranking(doc_ids=tuple(self.doc_ids[place] for place in row), scores=tuple(map(float, of[row])))
            for row, of in zip(places, scores, strict=True)
        ]

    def look(self, seed: int = 0, *, vectors: bool = True, echoes: bool = True) -> Snapshot:
        """A snapshot of the canaries; the seed is that of the random parts."""
        rng = np.random.default_rng(seed)
        held = range(0, len(self.doc_ids), 4)
        ids = tuple(self.doc_ids[row] for row in held)
        exact = replace(self, hidden=frozenset(), missed=0.0, jitter=0.0, k=DEPTH)
        return Snapshot(
            rankings=self._named(self.search(self.queries, rng)),
            depth=DEPTH,
            replayed=self._named(self.search(self.queries, rng)),
            echoes=dict(zip(ids, self.search(self.texts[held], rng), strict=True)) if echoes else {},
            queries=Embedded(self._query_ids, self.queries) if vectors else None,
            stored=Embedded(ids, self.stored[held]) if vectors else None,
            encoded=Embedded(ids, self.texts[held]) if vectors else None,
            exact=self._named(exact.search(self.queries, rng)) if vectors else {},
        )

    @property
    def _query_ids(self) -> tuple[str, ...]:
        return tuple(f"q{row}" for row in range(len(self.queries)))

    def _named(self, rankings: Sequence[Ranking]) -> Rankings:
        return dict(zip(self._query_ids, rankings, strict=False))


def rotation(seed: int) -> np.ndarray:
    """A random rotation of the space."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(N_DIMENSIONS, N_DIMENSIONS)))[0]


def distortion(seed: int, strength: float) -> np.ndarray:
    """A random linear map that is not a rotation: a model tuned so far."""
    rng = np.random.default_rng(seed)
    return np.eye(N_DIMENSIONS) + strength * rng.normal(size=(N_DIMENSIONS, N_DIMENSIONS)) / np.sqrt(N_DIMENSIONS)
