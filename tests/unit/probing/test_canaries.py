"""Where a target gives access to vectors, they identify the cause of a swap."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from monitor.adapters.stores.memory.store import MemoryStore
from monitor.cycle import run_cycle
from monitor.errors import Reason, RetrieverError
from monitor.incidents.routing import OnCall
from monitor.model.policies import Policy
from monitor.model.runs import Ranking
from monitor.model.suites import Axis, Query, Suite
from monitor.plan import Plan
from monitor.probing import canaries
from monitor.world import World

N, SIZE = 300, 16
RNG = np.random.default_rng(3)
DOCUMENTS = RNG.normal(size=(N, SIZE)).astype(np.float32)
NOISE = RNG.normal(size=(N, SIZE)).astype(np.float32)
OTHER = RNG.normal(size=(SIZE, SIZE)).astype(np.float32)


class VectorStore:
    """Exact search over vectors, with a model, a query encoder and an index that change separately."""

    concurrency = 4

    def __init__(self) -> None:
        self.encoder, self.model, self.hidden, self.down = np.eye(SIZE), np.eye(SIZE), 0, False
        self.embedded = 0

    async def embed(self, texts: Sequence[str]):
        """Vectors of queries, each close to its document."""
        if self.down:
            raise RetrieverError(Reason.UNREACHABLE, "no embedder")
        self.embedded += len(texts)
        numbers = [int(text) for text in texts]
        return _unit((DOCUMENTS[numbers] + 0.3 * NOISE[numbers]) @ self.encoder)

    async def stored_vectors(self, doc_ids: Sequence[str]):
        """Vectors in the index."""
        return {doc_id: _unit(DOCUMENTS[int(doc_id)] @ self.model) for doc_id in doc_ids}

    async def search_exact(self, vector, k: int) -> Ranking:
        """The nearest documents of all."""
        return self._rank(vector, k, 0)

    async def retrieve(self, query: str, k: int) -> Ranking:
        """The nearest documents in the index."""
        (vector,) = await self.embed([query])
        self.embedded -= 1
        return self._rank(vector, k, self.hidden)

    async def close(self) -> None:
        """There is nothing to release."""

    def _rank(self, vector, k: int, hidden: int) -> Ranking:
        scores = _unit(DOCUMENTS @ self.model) @ vector
        scores[[place for place in range(N) if hidden and (place * 7 + int(1e6 * abs(vector[0]))) % hidden == 0]] = -2
        best = np.argsort(-scores, kind="stable")[:k]
        return Ranking(
            doc_ids=tuple(str(place) for place in best), scores=tuple(float(scores[place]) for place in best)
        )


def _unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


class Service:
    """Cycles of a vector store, an hour apart."""

    def __init__(self) -> None:
        self.target, self.store, self.clock = VectorStore(), MemoryStore(), datetime(2026, 1, 1, tzinfo=UTC)
        queries = tuple(
            Query(query_id=f"q{i}", text=str(i), stratum="all", cluster=f"c{i}", grades={str(i): 1}) for i in range(N)
        )
        self.suite = Suite(name="suite", version="1", axis=Axis.BROAD, queries=queries, digest="suite")
        self.plan = Plan(target="target", suites=(self.suite,), policy=Policy(resamples=999), is_on_request=True)
        self.world = World(
            store=self.store, retriever=self.target, on_call=OnCall(), now=lambda: self.clock, owner="test"
        )

    def cycle(self):
        """The report of the next cycle."""
        self.clock += timedelta(hours=1)
        return asyncio.run(run_cycle(self.plan, self.world))


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"model": OTHER, "encoder": OTHER}, "the embedding model changed"),
        ({"encoder": OTHER}, "queries and documents are no longer encoded by the same model"),
        ({"hidden": 5}, "the index or its approximate search changed"),
    ],
)
def test_a_swap_names_its_cause(change, cause):
    """Vectors distinguish a new model, a new query encoder and a degraded index."""
    service = Service()
    service.cycle()
    for name, value in change.items():
        setattr(service.target, name, value)
    (swap,) = service.cycle().swaps
    assert swap.cause.startswith(cause), (swap.cause, swap.evidence)
    assert swap.evidence


def test_canaries_are_few():
    """Canaries are two per cent of a suite, at least 24 and at most 48 queries."""
    service = Service()
    assert len(canaries.select_canaries(service.suite)) == 24
    service.cycle()
    assert service.target.embedded == 24


def test_unreadable_vectors_are_not_a_change():
    """An index that does not return its vectors causes no swap."""
    service = Service()
    service.cycle()

    async def fail(doc_ids):
        raise RetrieverError(Reason.UNREACHABLE, "no index")

    service.target.stored_vectors = fail
    assert service.cycle().swaps == ()


def test_the_index_is_compared_with_an_exact_search():
    """The canaries measure the share of exact results that approximate search returns."""
    service = Service()
    service.target.hidden = 5
    assert 0.5 < service.cycle().verdict.insights["index_recall"]["suite"] < 0.95
