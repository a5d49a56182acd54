"""Structure is measured apart from retrieval: reach, the choice within a pair, and the margin of the scores."""

import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.evaluation.structure import LIMIT, group_score, reach, separation, structure, violating
from monitor.model.runs import Ranking
from monitor.model.suites import Pair

PAIR = Pair("q1", "yes", "no")
MIRRORED = (Pair("q1", "x", "y", mirror_id="q2"), Pair("q2", "y", "x", mirror_id="q1"))
FILL = tuple(f"other{number}" for number in range(12))

orders = st.lists(st.sampled_from(("x", "y", "other", "another")), unique=True)
cosines = st.lists(st.floats(-1, 1).map(lambda number: round(number, 3)), min_size=4, max_size=12).map(
    lambda scores: sorted(scores, reverse=True)
)


def values(found: tuple[tuple[str, ...], Sequence[float]]) -> dict[str, float]:
    """The values of a measure by query id."""
    query_ids, numbers = found
    return dict(zip(query_ids, map(float, numbers), strict=True))


def by_rank(doc_ids: Mapping[str, Sequence[str]]) -> dict[str, Ranking]:
    """Rankings without scores."""
    return {query_id: Ranking(doc_ids=tuple(each)) for query_id, each in doc_ids.items()}


def scored(doc_ids: Sequence[str], scores: Sequence[float]) -> dict[str, Ranking]:
    """One ranking with scores, for the query q1."""
    return {"q1": Ranking(doc_ids=tuple(doc_ids), scores=tuple(scores))}


CHOICES = {
    "satisfying above violating": (("a", "yes", "b", "no"), 1.0),
    "violating above satisfying": (("no", "a", "yes"), 0.0),
    "only satisfying": (("a", "yes"), 1.0),
    "only violating": (("a", "no"), 0.0),
    "neither": (("a", "b"), None),
    "an empty ranking": ((), None),
    "a repeated document counts at its first rank": (("yes", "no", "yes"), 1.0),
}


@pytest.mark.parametrize(("doc_ids", "expected"), CHOICES.values(), ids=CHOICES)
def test_the_choice_exists_where_either_document_was_returned(doc_ids: tuple[str, ...], expected: float | None):
    """The satisfying document is chosen if it ranks first of the two; without either there is no value."""
    assert values(structure([PAIR], by_rank({"q1": doc_ids}))) == ({} if expected is None else {"q1": expected})


@given(doc_ids=orders)
def test_a_pair_and_its_reverse_add_up_to_one_choice(doc_ids: list[str]):
    """Of a pair and its reverse exactly one is chosen, or neither has a value."""
    both = [values(structure([Pair("q1", *each)], by_rank({"q1": doc_ids}))) for each in (("x", "y"), ("y", "x"))]
    assert sum(sum(each.values()) for each in both) == (1.0 if {"x", "y"} & set(doc_ids) else 0.0)


@given(doc_ids=orders, cut=st.integers(0, 4))
def test_a_shorter_ranking_changes_no_choice_that_remains(doc_ids: list[str], cut: int):
    """A ranking cut at any rank keeps the choice, or loses it; it never reverses it."""
    pairs = [Pair("q1", "x", "y")]
    whole, part = (values(structure(pairs, by_rank({"q1": each}))) for each in (doc_ids, doc_ids[:cut]))
    assert part.items() <= whole.items()


def test_reach_counts_the_satisfying_document_at_any_rank():
    """Reach is 1 with the satisfying document, wherever it ranks, and 0 without it."""
    pairs = [Pair(query_id, "yes", "no") for query_id in ("q1", "q2", "q3", "q4")]
    rankings = by_rank({"q1": ("no", "yes"), "q2": ("no",), "q3": ()})
    assert values(reach(pairs, rankings)) == {"q1": 1.0, "q2": 0.0, "q3": 0.0}


def test_violating_counts_within_its_cutoff():
    """The violating document counts at rank k and above it; a query without a ranking has no value."""
    rankings = by_rank({"q1": ("yes", "no")})
    assert values(violating([PAIR, Pair("q2", "yes", "no")], rankings, k=1)) == {"q1": 0.0}
    assert values(violating([PAIR], rankings, k=2)) == {"q1": 1.0}


GROUPS = {
    "both right": ("xy", "yx", {"q1": 1.0}),
    "the first right": ("xy", "xy", {"q1": 0.0}),
    "both wrong": ("yx", "xy", {"q1": 0.0}),
    "both right, each without its near-copy": ("x", "y", {"q1": 1.0}),
    "one with neither document": ("xy", "o", {}),
    "one without a ranking": ("xy", None, {}),
}


@pytest.mark.parametrize(("first", "second", "expected"), GROUPS.values(), ids=GROUPS)
def test_a_group_is_right_when_both_choices_are(first: str, second: str | None, expected: dict[str, float]):
    """A mirrored pair counts once, under its first query, and has a value where both queries have a choice."""
    rankings = by_rank({"q1": first} | ({} if second is None else {"q2": second}))
    assert values(group_score(MIRRORED, rankings)) == expected


@given(doc_ids=orders)
def test_a_target_blind_to_structure_has_no_group_right(doc_ids: list[str]):
    """The same ranking for both queries scores 0 or has no value."""
    assert set(values(group_score(MIRRORED, by_rank({"q1": doc_ids, "q2": doc_ids}))).values()) <= {0.0}


def test_pairs_without_a_mirror_have_no_group_score():
    """Only pairs that name a mirror are scored."""
    assert values(group_score([Pair("q3", "x", "y")], by_rank({"q3": "xy"}))) == {}


def test_separation_is_the_margin_in_standard_deviations():
    """By hand: scores .9, .5, .4 and .2 have a standard deviation of .255; the margin of .4 is 1.569 of them."""
    found = values(separation([PAIR], scored(("yes", "no", "a", "b"), (0.9, 0.5, 0.4, 0.2))))
    assert found["q1"] == pytest.approx(0.4 / math.sqrt(0.065))


@given(
    scores=cosines,
    places=st.permutations(range(4)),
    scale=st.floats(0.01, 100),
    shift=st.floats(-50, 50),
)
def test_a_linear_rescaling_of_the_scores_changes_no_separation(
    scores: list[float], places: list[int], scale: float, shift: float
):
    """Scores a·s + b with a > 0 give the same values, or none either way."""
    assume(scores[0] - scores[-1] > 0.05)
    doc_ids = ["a"] * len(scores)
    doc_ids[places[0]], doc_ids[places[1]] = "yes", "no"
    before = values(separation([PAIR], scored(doc_ids, scores)))
    after = values(separation([PAIR], scored(doc_ids, [scale * score + shift for score in scores])))
    assume(before.keys() == after.keys())  # a scale that is recognised as ranks can lose its pattern
    assert after == pytest.approx(before, abs=1e-6)


@given(scores=cosines, place=st.integers(0, 3))
def test_separation_keeps_within_three_deviations(scores: list[float], place: int):
    """No value leaves the range of the registry, and the reverse pair has the opposite value."""
    doc_ids = ["no", *FILL[: len(scores) - 1]]
    doc_ids[place] = "yes"
    rankings = scored(doc_ids, scores)
    found, reverse = (values(separation([each], rankings)) for each in (PAIR, Pair("q1", "no", "yes")))
    assert all(-LIMIT <= value <= LIMIT for value in found.values())
    if {"yes", "no"} <= set(doc_ids):
        assert found == pytest.approx({query_id: -value for query_id, value in reverse.items()})


def test_separation_is_clipped():
    """A satisfying document far above twenty equal ones counts three deviations."""
    doc_ids = ("yes", *(f"d{number}" for number in range(20)), "no")
    assert values(separation([PAIR], scored(doc_ids, (0.9, *([0.1] * 20), 0.09)))) == {"q1": LIMIT}


def test_a_missing_document_takes_the_lowest_score():
    """A document that was not returned is bounded by the last one that was; without both there is no value."""
    scores = (0.9, 0.5, 0.4, 0.2)
    missing_no = values(separation([PAIR], scored(("a", "yes", "b", "c"), scores)))
    missing_yes = values(separation([PAIR], scored(("no", "a", "b", "c"), scores)))
    assert missing_no["q1"] == pytest.approx((0.5 - 0.2) / math.sqrt(0.065))
    assert missing_yes["q1"] == pytest.approx((0.2 - 0.9) / math.sqrt(0.065))
    assert values(separation([PAIR], scored("abcd", scores))) == {}


NO_SEPARATION = {
    "no scores": Ranking(doc_ids=("yes", "no", "a")),
    "all scores equal": Ranking(doc_ids=("yes", "no", "a"), scores=(0.1, 0.1, 0.1)),
    "one hit": Ranking(doc_ids=("yes",), scores=(0.9,)),
    "an empty ranking": Ranking(doc_ids=(), scores=()),
    "reciprocal ranks": Ranking(doc_ids=("yes", "no", "a"), scores=(1.0, 1 / 2, 1 / 3)),
    "fused by reciprocal ranks": Ranking(
        doc_ids=("yes", "no", "a", "b"), scores=(1 / 61 + 1 / 63, 1 / 62 + 1 / 66, 1 / 61, 1 / 65)
    ),
    "reranked": Ranking(doc_ids=("yes", "no", "a"), scores=(0.2, 0.9, 0.4)),
}


@pytest.mark.parametrize("ranking", NO_SEPARATION.values(), ids=NO_SEPARATION)
def test_without_a_scale_there_is_no_separation(ranking: Ranking):
    """The measure is absent, and not zero, where scores say nothing of similarity."""
    assert values(separation([PAIR], {"q1": ranking})) == {}


def test_distances_separate_as_similarities_do():
    """Scores that rise with the rank are distances: the nearer satisfying document gives the same positive value."""
    scores = (0.9, 0.5, 0.4, 0.2)
    nearer = separation([PAIR], scored(("yes", "no", "a", "b"), [1 - score for score in scores]))
    assert values(nearer) == pytest.approx(values(separation([PAIR], scored(("yes", "no", "a", "b"), scores))))
