"""A pair is answered right when the satisfying document comes before its near-copy."""

from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.evaluation.pairs import mirrored_accuracy, pair_accuracy
from monitor.model.measurements import Floats
from monitor.model.runs import Ranking
from monitor.model.suites import Pair

PairMeasure = Callable[[Sequence[Pair], Mapping[str, Ranking]], tuple[tuple[str, ...], Floats]]

PAIR = Pair("q1", "yes", "no")
MIRRORED = (Pair("q1", "x", "y", mirror_id="q2"), Pair("q2", "y", "x", mirror_id="q1"))

rankings = st.lists(st.sampled_from(("x", "y", "other", "another")), unique=True)


def scores(measure: PairMeasure, pairs: Sequence[Pair], doc_ids: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """The value of a pair measure by query id."""
    query_ids, values = measure(pairs, {query_id: Ranking(doc_ids=tuple(each)) for query_id, each in doc_ids.items()})
    assert len(set(query_ids)) == len(query_ids)
    return dict(zip(query_ids, values.tolist(), strict=True))


BY_HAND = {
    "satisfying directly above violating": (("yes", "no"), 1.0),
    "satisfying far above violating": (("yes", "a", "b", "no"), 1.0),
    "satisfying above violating, neither first": (("a", "yes", "b", "no"), 1.0),
    "violating above satisfying": (("no", "yes"), 0.0),
    "violating above satisfying, not first": (("a", "no", "b", "yes"), 0.0),
    "only satisfying": (("a", "yes"), 1.0),
    "only violating": (("no", "a"), 0.0),
    "neither": (("a", "b"), 0.0),
    "an empty ranking": ((), 0.0),
    "a repeated document counts where it came first": (("yes", "no", "yes"), 1.0),
    "a repeated near-copy counts where it came first": (("no", "yes", "no"), 0.0),
}


@pytest.mark.parametrize(("doc_ids", "expected"), BY_HAND.values(), ids=BY_HAND)
def test_a_pair_is_right_when_the_satisfying_document_was_seen_first(doc_ids: tuple[str, ...], expected: float):
    """A satisfying document scores 1 above its near-copy or without it, and 0 below it or unseen."""
    assert scores(pair_accuracy, [PAIR], {"q1": doc_ids}) == {"q1": expected}


@given(doc_ids=rankings)
def test_equal_ranks_are_impossible(doc_ids: list[str]):
    """Of a pair and its reverse exactly one is right, unless neither document was retrieved."""
    pair, reverse = Pair("q1", "x", "y"), Pair("q1", "y", "x")
    right = [scores(pair_accuracy, [each], {"q1": doc_ids})["q1"] for each in (pair, reverse)]
    assert sum(right) == (1.0 if {"x", "y"} & set(doc_ids) else 0.0)


def test_each_pair_is_scored_by_the_ranking_of_its_own_query():
    """Values are returned with their query ids, in the order of the pairs."""
    pairs = [Pair("q2", "a", "b"), Pair("q1", "a", "b"), Pair("q3", "b", "a")]
    found = pair_accuracy(
        pairs, {"q1": Ranking(doc_ids=("b", "a")), "q2": Ranking(doc_ids=("a", "b")), "q3": Ranking(doc_ids=("b",))}
    )
    assert found[0] == ("q2", "q1", "q3")
    assert found[1].tolist() == [1.0, 0.0, 1.0]


def test_a_pair_without_a_ranking_is_not_scored():
    """A query that brought nothing back is left out, and is not a 0."""
    assert scores(pair_accuracy, [Pair("q1", "x", "y"), Pair("q2", "x", "y")], {"q2": "yx"}) == {"q2": 0.0}


MIRRORED_BY_HAND = {
    "both right": ("xy", "yx", 1.0),
    "the first right": ("xy", "xy", 0.0),
    "the second right": ("yx", "yx", 0.0),
    "both wrong": ("yx", "xy", 0.0),
    "both right, each without its near-copy": ("x", "y", 1.0),
    "one of them empty": ("xy", "", 0.0),
}


@pytest.mark.parametrize(("first", "second", "expected"), MIRRORED_BY_HAND.values(), ids=MIRRORED_BY_HAND)
def test_a_mirrored_pair_is_right_when_both_its_queries_are(first: str, second: str, expected: float):
    """Both queries of a mirrored pair must be answered right, and together they count once, under the first."""
    assert scores(mirrored_accuracy, MIRRORED, {"q1": first, "q2": second}) == {"q1": expected}


@given(first=rankings, second=rankings)
def test_mirrored_accuracy_is_the_product_of_both_pairs(first: list[str], second: list[str]):
    """A mirrored pair is worth what its two pairs are worth, multiplied."""
    doc_ids = {"q1": first, "q2": second}
    alone = scores(pair_accuracy, MIRRORED, doc_ids)
    assert scores(mirrored_accuracy, MIRRORED, doc_ids) == {"q1": alone["q1"] * alone["q2"]}


@given(doc_ids=rankings)
def test_a_retriever_blind_to_structure_gets_no_mirrored_pair_right(doc_ids: list[str]):
    """The same ranking for both queries scores 0, whatever it is."""
    assert scores(mirrored_accuracy, MIRRORED, {"q1": doc_ids, "q2": doc_ids}) == {"q1": 0.0}


@pytest.mark.parametrize("answered", ["q1", "q2"])
def test_half_a_mirrored_pair_is_not_scored(answered: str):
    """If one of the two queries brought nothing back, the mirrored pair is left out, and is not a 0."""
    assert scores(mirrored_accuracy, MIRRORED, {answered: "xy"}) == {}


def test_pairs_without_a_mirror_have_no_mirrored_accuracy():
    """Only pairs that name a mirror are scored."""
    pairs = [*MIRRORED, Pair("q3", "x", "y"), Pair("q4", "y", "x")]
    assert scores(mirrored_accuracy, pairs, dict.fromkeys(("q1", "q2", "q3", "q4"), "xy")) == {"q1": 0.0}


def test_each_mirrored_pair_counts_once_however_the_pairs_are_ordered():
    """Every mirrored pair is scored under whichever of its queries is written first."""
    pairs = [Pair("d", "y", "x", "c"), Pair("a", "x", "y", "b"), Pair("c", "x", "y", "d"), Pair("b", "y", "x", "a")]
    doc_ids = {"a": "xy", "b": "yx", "c": "xy", "d": "xy"}
    assert list(scores(mirrored_accuracy, pairs, doc_ids).items()) == [("d", 0.0), ("a", 1.0)]


@pytest.mark.parametrize("measure", [pair_accuracy, mirrored_accuracy])
def test_no_pairs_have_no_values(measure: PairMeasure):
    """Nothing in, nothing out."""
    assert scores(measure, [], {"q1": "xy"}) == {}
