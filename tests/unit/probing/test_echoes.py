"""Echoes and replays of a cycle: how many are sent, and what they add to the cause of a swap."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from monitor.adapters.stores.postgres.vector_rows import snapshot_from_json, snapshot_to_json
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.model.snapshots import Snapshot
from monitor.probing import echoes
from tests.unit.probing.test_canaries import DOCUMENTS, OTHER, N, Service, VectorStore, _unit

TEXTS = {str(number): f"text of {number}" for number in range(N)}


class RankingsOnly:
    """The vector store of the canaries' tests without access to its vectors; a document's own text is its vector."""

    concurrency = 4

    def __init__(self, store: VectorStore) -> None:
        self.store, self.sent, self.budget = store, list[str](), 10_000

    async def retrieve(self, query: str, k: int) -> Ranking:
        """The nearest documents in the index."""
        self.sent.append(query)
        if len(self.sent) > self.budget:
            raise RetrieverError(Reason.BUDGET_SPENT, "not sent")
        if not query.startswith("text of "):
            return await self.store.retrieve(query, k)
        vector = _unit(DOCUMENTS[int(query.removeprefix("text of "))] @ self.store.encoder)
        return self.store._rank(vector, k, self.store.hidden)

    async def close(self) -> None:
        """There is nothing to release."""


def a_service(texts: Mapping[str, str] = TEXTS) -> tuple[Service, RankingsOnly]:
    """Cycles over rankings only, with the texts of the suite's documents."""
    service = Service()
    target = RankingsOnly(service.target)
    service.world = replace(service.world, retriever=target, texts_of=lambda _: texts)
    return service, target


def n_echoes(target: RankingsOnly) -> int:
    """Number of probes with the text of a document since the last count."""
    count = sum(query.startswith("text of ") for query in target.sent)
    target.sent.clear()
    return count


def test_echoes_and_replays_are_spread_over_the_first_cycles_and_then_cost_nothing():
    """A cycle sends at most five per cent of the suite beside it, and nothing once all documents and canaries are."""
    service, target = a_service()
    sent = []
    for _ in range(8):
        service.cycle()
        n_other = len(target.sent) - N
        sent.append((n_other, n_echoes(target)))
    assert max(n_other for n_other, _ in sent) <= 0.05 * N
    assert sum(n_sent for _, n_sent in sent) == echoes.MOST_ECHOES
    assert sum(n_other for n_other, _ in sent) == echoes.MOST_ECHOES + echoes.MOST_REPLAYS
    assert sent[-2:] == [(0, 0), (0, 0)]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"model": OTHER, "encoder": OTHER}, "the embedding model changed"),
        ({"encoder": OTHER}, "queries and documents are no longer encoded by the same model"),
    ],
)
def test_echoes_distinguish_a_model_from_one_encoder(change, cause):
    """With echoes of one earlier cycle, rankings alone name the side that changed."""
    service, target = a_service()
    service.cycle()
    for name, value in change.items():
        setattr(service.target, name, value)
    target.sent.clear()
    (swap,) = service.cycle().swaps
    assert swap.cause.startswith(cause), (swap.cause, swap.evidence)
    assert "own text" in swap.evidence
    assert n_echoes(target) >= 4


@pytest.mark.parametrize("change", [{"model": OTHER, "encoder": OTHER}, {"encoder": OTHER}])
def test_without_texts_both_are_named(change):
    """A suite without a corpus has no echoes: the cause lists its alternative, and nothing is sent beside the suite."""
    service, target = a_service({})
    service.cycle()
    for name, value in change.items():
        setattr(service.target, name, value)
    (swap,) = service.cycle().swaps
    assert "the embedding model changed" in swap.cause
    assert "queries and documents are no longer encoded by the same model" in swap.cause
    assert n_echoes(target) == 0


def test_a_swap_that_is_detected_again_finds_its_new_echoes():
    """The echoes after a swap are kept: the swap back is named too."""
    service, _ = a_service()
    service.cycle()
    service.target.encoder = OTHER.astype(float)
    service.cycle()
    service.target.encoder = (OTHER @ OTHER.T @ OTHER).astype(float)
    (swap,) = service.cycle().swaps
    assert "own text" in swap.evidence


def test_a_spent_budget_ends_the_echoes_and_not_the_cycle():
    """Echoes come after the suite; where the budget is spent, the cycle is judged without them."""
    service, target = a_service()
    target.budget = N
    report = service.cycle()
    assert report.measured[0].counts.coverage == 1.0
    assert len(target.sent) <= N + target.concurrency


def test_long_texts_are_cut():
    """No probe is longer than the limit."""
    service, target = a_service(TEXTS | {"0": "text of 0" + " " * 10_000})
    service.cycle()
    assert max(map(len, target.sent)) <= echoes.LONGEST


def test_echoes_survive_the_database():
    """A snapshot is stored with its echoes and replays, with or without scores."""
    kept = Snapshot(
        rankings={},
        depth=2,
        echoes={"a": Ranking(doc_ids=("a", "b"), scores=(1.0, 0.5)), "b": Ranking(doc_ids=("b",))},
        replayed={"q1": Ranking(doc_ids=("a",), scores=(0.25,))},
    )
    restored = snapshot_from_json(snapshot_to_json(kept))
    assert (restored.echoes, restored.replayed) == (kept.echoes, kept.replayed)


def test_words_are_matched_where_texts_are_known():
    """Each returned document with a known text has the match of its words with the query."""
    service, _ = a_service()
    query = replace(service.suite.queries[0], text="red hat")
    suite = replace(service.suite, queries=(query,))
    snapshot = Snapshot(rankings={query.query_id: Ranking(doc_ids=("1", "2", "x"))}, depth=3)
    words = echoes.with_words_and_groups(snapshot, suite, {"1": "a red hat", "2": "rain"}).word_matches
    assert words == {query.query_id: {"1": 1.0, "2": 0.0}}
