"""Retrieval systems of the research, on documents whose order a person can work out."""

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.calibration.page import Row, page, plot
from benchmarks.systems.dense import Dense, PartialSearch
from benchmarks.systems.fusion import ReciprocalRanks, WeightedSum
from benchmarks.systems.late_interaction import LateInteraction
from benchmarks.systems.lexical import Lexical
from benchmarks.systems.reranking import Reranked
from benchmarks.systems.system import best, measure_system
from benchmarks.validity.evaluation_sets import EvaluationSet, Vectors
from monitor.model.suites import Axis, Query, Suite

DOCUMENTS = ("error E-31 of the pump", "the pump is loud", "a red hat", "rain in spring")
QUERIES = tuple(
    Query(query_id=f"q{number}", text=text, stratum="all", cluster=f"c{number}", grades={doc_id: 1})
    for number, (text, doc_id) in enumerate([("E-31", "d0"), ("red hat", "d2")])
)
SET = EvaluationSet(
    Suite(name="tiny", version="1", axis=Axis.BROAD, queries=QUERIES, digest="tiny"),
    tuple(f"d{number}" for number in range(len(DOCUMENTS))),
    DOCUMENTS,
)


def by_last_letter(texts: Sequence[str]) -> Vectors:
    """A model that knows the last letter of a text only: it cannot tell E-31 from anything."""
    vectors = np.full((len(texts), 27), 0.01, np.float32)
    for number, text in enumerate(texts):
        vectors[number, "abcdefghijklmnopqrstuvwxyz".find(text[-1])] = 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


DENSE, WORDS = Dense(by_last_letter), Lexical()


def order(system, query: int) -> list[int]:
    """Places of the documents in the ranking of a query."""
    return best(system.scores(SET), len(DOCUMENTS))[query].tolist()


def test_lexical_search_finds_an_identifier_that_vectors_miss():
    """BM25 has the document with the code first."""
    assert order(WORDS, 0)[0] == 0


def test_dense_search_orders_by_the_cosine():
    """The query and its document end with the same letter."""
    assert order(DENSE, 1)[0] == 2


def test_reciprocal_ranks_reward_documents_that_both_systems_rank_high():
    """The sum of 1 / (60 + rank) of the two rankings."""
    scores = ReciprocalRanks((DENSE, WORDS)).scores(SET)
    assert scores[1, 2] == pytest.approx(2 / 61)
    assert scores.max() == scores[1, 2]


def test_a_weighted_sum_ends_at_its_systems():
    """Weight 0 is the first system and weight 1 the second."""
    for query in range(2):
        assert order(WeightedSum(DENSE, WORDS, 0.0), query) == order(DENSE, query)
        assert order(WeightedSum(DENSE, WORDS, 1.0), query) == order(WORDS, query)


def test_reranking_reorders_the_best_documents_only():
    """The best two of BM25 change places; the document that BM25 left behind stays behind."""
    first = order(WORDS, 0)
    reranked = order(Reranked(WORDS, DENSE, depth=2), 0)
    assert set(reranked[:2]) == set(first[:2])
    assert reranked[2:] == first[2:]


def test_late_interaction_scores_its_candidates_only():
    """Documents outside the candidates are not retrieved."""

    def letters(texts: Sequence[str]) -> list[Vectors]:
        return [np.concatenate([by_last_letter([word]) for word in text.split()]) for text in texts]

    scores = LateInteraction(WORDS, letters, depth=2).scores(SET)
    assert np.isfinite(scores).sum(axis=1).tolist() == [2, 2]
    assert order(LateInteraction(WORDS, letters, depth=2), 1)[0] == 2


def test_a_partial_search_leaves_documents_out():
    """With one cell of two a query sees a part of the corpus; the measured run has shorter rankings."""
    system = PartialSearch(by_last_letter, probes=1)
    assert (system.scores(SET) == -np.inf).any()
    measured = measure_system(SET, system)
    assert min(len(each.ranking.doc_ids) for each in measured.run.outcomes if each.ranking) < len(DOCUMENTS)


def test_the_page_has_every_swap_and_the_plot_every_dot():
    """The goals are computed from the rows."""
    rows = [
        Row(name="(baseline)", family="", broad=0.7, public=(0.9, 0.95), strata={"style: title": 0.9}, verdict=""),
        Row(name="one", family="a", broad=-0.1, public=(-0.1, -0.1), strata={"style: title": 0.0}, verdict="regressed"),
        Row(name="two", family="b", broad=0.1, public=(0.05, 0.01), strata={"style: title": 0.0}, verdict="passed"),
        Row(name="three", family="b", broad=-0.2, public=(-0.3, 0.1), strata={"style: title": 0.0}, verdict=""),
    ]
    text = page(rows)
    assert all(f"| {row.name} | " in text for row in rows)
    assert "so for all" in text
    assert plot(rows).count("<circle") == 3
