"""A reference retriever held in process: exact or HNSW search, words mixed in, a filter, a score threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.causes.corpus import Corpus, Model
from monitor.demo.tuning import Vectors
from monitor.model.runs import Ranking
from monitor.model.snapshots import Embedded, Snapshot

DEPTH = 10


@dataclass(frozen=True, slots=True)
class Canaries:
    """Rows of the corpus that every cycle fingerprints."""

    queries: NDArray[np.intp]
    echoes: NDArray[np.intp]
    documents: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Service:
    """The served deployment. Replacing a field changes the deployment."""

    corpus: Corpus
    model: Model
    """The model that encodes queries, and by default also built the index."""
    stored: Vectors
    doc_ids: tuple[str, ...]
    present: NDArray[np.bool_]
    """The rows in the index."""
    graphs: tuple[Any, ...] = ()
    """Replicas, of which a random one answers each query; exact search if there are none."""
    breadth: int = 64
    k: int = DEPTH
    hidden: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    """Rows that a filter excludes."""
    by_vectors: float = 1.0
    """Weight of vectors; words have the remaining weight."""
    bar: float = -np.inf
    jitter: float = 0.0
    answerer: str = ""
    judge: str = ""

    def search(self, vectors: Vectors, texts: Sequence[str], rng: np.random.Generator) -> list[Ranking]:
        """The rankings of these queries, by vector and by words."""
        allowed = self.present.copy()
        allowed[self.hidden] = False
        if self.graphs:
            scores, places = self._approximate(vectors, np.flatnonzero(allowed), rng)
        else:
            scores, places = self._exact(vectors, texts, allowed)
        scores = scores + rng.normal(0.0, self.jitter, scores.shape) if self.jitter else scores
        order = np.argsort(-scores, axis=1, kind="stable")
        scores, places = np.take_along_axis(scores, order, 1), np.take_along_axis(places, order, 1)
        return [self._ranking(row, found) for row, found in zip(scores, places, strict=True)]

    def _ranking(self, scores: NDArray[Any], places: NDArray[np.intp]) -> Ranking:
        is_kept = (places >= 0) & (scores >= self.bar)
        ids = tuple(self.doc_ids[place] for place in places[is_kept])
        return Ranking(doc_ids=ids, scores=tuple(map(float, scores[is_kept])))

    def _exact(self, vectors: Vectors, texts: Sequence[str], allowed: NDArray[np.bool_]) -> tuple[Any, Any]:
        scores = (vectors @ self.stored.T).astype(np.float64)
        if self.by_vectors < 1:
            scores = self.by_vectors * scores + (1 - self.by_vectors) * self.corpus.served_words.match(texts)
        scores[:, ~allowed] = -np.inf
        places = np.argpartition(-scores, self.k, axis=1)[:, : self.k]
        return np.take_along_axis(scores, places, 1), places

    def _approximate(self, vectors: Vectors, allowed: NDArray[np.intp], rng: np.random.Generator) -> tuple[Any, Any]:
        import faiss

        graph_numbers = rng.integers(len(self.graphs), size=len(vectors))
        scores = np.empty((len(vectors), self.k))
        places = np.empty((len(vectors), self.k), np.intp)
        settings: dict[str, Any] = {"efSearch": self.breadth}
        if len(allowed) < len(self.present):
            settings["sel"] = faiss.IDSelectorBatch(allowed)
        for number, graph in enumerate(self.graphs):
            rows = graph_numbers == number
            if rows.any():
                parameters = faiss.SearchParametersHNSW(**settings)
                scores[rows], places[rows] = graph.search(vectors[rows], self.k, params=parameters)
        return scores, places

    def look(self, canaries: Canaries, rng: np.random.Generator, *, replays: int) -> Snapshot:
        """All that the canaries show; the first ``replays`` of the queries are sent again at once."""
        corpus, rows = self.corpus, canaries.queries
        texts, vectors = [corpus.questions[row] for row in rows], self.model.queries[rows]
        ids = [corpus.query_ids[row] for row in rows]
        again = slice(0, replays)
        place = {doc_id: row for row, doc_id in enumerate(self.doc_ids) if self.present[row]}
        document_rows = [row for row in canaries.documents if corpus.doc_ids[row] in place]
        own = [corpus.doc_ids[row] for row in document_rows]
        return Snapshot(
            rankings=_named(ids, self.search(vectors, texts, rng)),
            depth=DEPTH,
            replayed=_named(ids[again], self.search(vectors[again], texts[again], rng)),
            echoes=self._echoes(canaries.echoes, rng),
            queries=Embedded(tuple(ids), vectors),
            stored=Embedded(tuple(own), self.stored[[place[doc_id] for doc_id in own]]),
            encoded=Embedded(tuple(own), self.model.documents[document_rows]),
            exact=_named(ids, self._exhaustive(vectors)),
            groups=corpus.groups,
            answerer=self.answerer,
            judge=self.judge,
        )

    def _echoes(self, rows: NDArray[np.intp], rng: np.random.Generator) -> Mapping[str, Ranking]:
        texts = [self.corpus.texts[row] for row in rows]
        return _named([self.corpus.doc_ids[row] for row in rows], self.search(self.model.documents[rows], texts, rng))

    def _exhaustive(self, vectors: Vectors) -> list[Ranking]:
        scores = np.where(self.present, vectors @ self.stored.T, -np.inf)
        places = np.argsort(-scores, axis=1)[:, :DEPTH]
        return [Ranking(doc_ids=tuple(self.doc_ids[place] for place in row)) for row in places]


def known_words(corpus: Corpus, rows: NDArray[np.intp], *looks: Snapshot) -> dict[str, dict[str, float]]:
    """Word similarity of the canary queries to the retrieved documents, as recallwatch computes it."""
    place = {doc_id: row for row, doc_id in enumerate(corpus.doc_ids)}
    matches = corpus.known_words.match([corpus.questions[row] for row in rows])
    similarities: dict[str, dict[str, float]] = {}
    for row, query_id in enumerate(corpus.query_ids[each] for each in rows):
        ids = {doc_id for look in looks for doc_id in look.rankings[query_id].doc_ids} & place.keys()
        similarities[query_id] = {doc_id: float(matches[row, place[doc_id]]) for doc_id in ids}
    return similarities


def _named(ids: Sequence[str], rankings: Sequence[Ranking]) -> dict[str, Ranking]:
    return dict(zip(ids, rankings, strict=True))
