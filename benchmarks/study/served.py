"""A retriever over vectors in this process, for swaps that are judged by whole cycles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.validity.evaluation_sets import Encode, EvaluationSet, Vectors
from monitor.adapters.retrievers.local import build_index
from monitor.evaluation.scoring import PAIR_DEPTH
from monitor.model.runs import Ranking

Search = Callable[[Vectors, Vectors, int], tuple[Vectors, NDArray[np.intp]]]
"""Scores and rows of the best documents: (documents, queries, depth) to two arrays of shape (n_queries, depth)."""

Hits = tuple[tuple[str, ...], tuple[float, ...]]
"""Ids and scores of the documents of one query."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Space:
    """The vectors of all documents and queries under one model."""

    doc_ids: tuple[str, ...]
    texts: tuple[str, ...]
    """The queries of all suites."""
    documents: Vectors
    queries: Vectors

    def mapped(self, change: Callable[[Vectors], Vectors]) -> Space:
        """The space with a change of every vector."""
        return replace(self, documents=change(self.documents), queries=change(self.queries))


def space_of(sets: Sequence[EvaluationSet], encode: Encode) -> Space:
    """One index with the documents of all evaluation sets, as the demo serves them."""
    return Space(
        doc_ids=tuple(doc_id for each in sets for doc_id in each.doc_ids),
        texts=tuple(text for each in sets for text in each.questions),
        documents=np.concatenate([encode(each.documents) for each in sets]),
        queries=np.concatenate([encode(each.questions) for each in sets]),
    )


def exact(documents: Vectors, queries: Vectors, depth: int) -> tuple[Vectors, NDArray[np.intp]]:
    """Exact cosine search."""
    scores, rows = build_index(np.ascontiguousarray(documents)).search(np.ascontiguousarray(queries), depth)
    return scores, rows


@dataclass(slots=True, kw_only=True, eq=False)
class ServedSpace:
    """A retriever over one space, with access to its vectors. The first probe searches for all queries."""

    space: Space
    search: Search = exact
    deployment: str | None = None
    """The deployment that every ranking declares; None for a silent swap."""
    concurrency: int = 4
    _rankings: dict[str, Hits] = field(default_factory=dict)

    async def retrieve(self, query: str, k: int) -> Ranking:
        """The ``k`` best documents for a query of the space."""
        self._rankings = self._rankings or self._search_all()
        doc_ids, scores = self._rankings[query]
        return Ranking(doc_ids=doc_ids[:k], scores=scores[:k], deployment=self.deployment)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of queries."""
        rows = {text: row for row, text in enumerate(self.space.texts)}
        return self.space.queries[[rows[text] for text in texts]]

    async def stored_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        """The vectors of documents, without those that are not in the index."""
        rows = {doc_id: row for row, doc_id in enumerate(self.space.doc_ids)}
        return {doc_id: self.space.documents[rows[doc_id]] for doc_id in doc_ids if doc_id in rows}

    async def close(self) -> None:
        """Nothing to close."""

    def _search_all(self) -> dict[str, Hits]:
        scores, rows = self.search(self.space.documents, self.space.queries, PAIR_DEPTH)
        doc_ids = np.array(self.space.doc_ids)[rows]
        hits = zip(map(tuple, doc_ids.tolist()), map(tuple, scores.tolist()), strict=True)
        return dict(zip(self.space.texts, hits, strict=True))
