"""The rank measures equal trec_eval to 1e-12."""

import math
from collections.abc import Mapping, Sequence

import ir_measures
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.errors import ComparisonError
from monitor.evaluation.measures import MEASURES
from monitor.evaluation.retrieval import evaluate, locate, ndcg
from monitor.model.measures import Needs
from tests.properties import examples

Judged = tuple[Sequence[str], Mapping[str, int]]
"""The document ids of a ranking, and the grades they are judged by."""

DOC_IDS = "abcdefghijkl"
FAMILIES = [each.name for each in MEASURES.values() if each.needs is Needs.RANKINGS and each.name != "judged"]
"""The measures of relevance: all rank measures but judged@k, which also counts irrelevant judgements."""
FAMILY = pytest.mark.parametrize("family", FAMILIES)
# Nothing is timed here, and a busy machine must not fail a test.
EXAMPLES = examples(150)

rankings = st.lists(st.sampled_from(DOC_IDS), unique=True)
binary, graded, far_apart = (st.integers(0, highest) for highest in (1, 3, 1_000))
grades = st.one_of(
    *(st.dictionaries(st.sampled_from(DOC_IDS), grade, min_size=1) for grade in (binary, graded, far_apart))
)
judged = st.tuples(rankings, grades)
cutoffs = st.integers(1, len(DOC_IDS) + 2)

Values = dict[tuple[str, int], float]
"""The value of every measure on every query, by measure and number of the query."""


def at(family: str, k: int) -> str:
    """The name of a measure, with the cutoff if it takes one."""
    return MEASURES[family].at(k if MEASURES[family].has_cutoff else None)


def values(k: int, *queries: Judged) -> Values:
    """The values that recallwatch computes for these queries."""
    relevance = locate(queries)
    computed = {family: evaluate(relevance, at(family, k)).tolist() for family in FAMILIES}
    assert {len(each) for each in computed.values()} == {len(queries)}
    return {(family, number): value for family, each in computed.items() for number, value in enumerate(each)}


ORACLES = {
    "recall": (ir_measures.pytrec_eval, ir_measures.R),
    "success": (ir_measures.pytrec_eval, ir_measures.Success),
    "mrr": (ir_measures.DefaultPipeline, ir_measures.RR),  # trec_eval has no cutoff for it
    "ndcg": (ir_measures.pytrec_eval, ir_measures.nDCG),
    "precision": (ir_measures.pytrec_eval, ir_measures.P),
    "ap": (ir_measures.pytrec_eval, ir_measures.AP),
    "rprec": (ir_measures.pytrec_eval, ir_measures.Rprec),
}


def trec_files(queries: Sequence[Judged]) -> tuple[list[ir_measures.Qrel], list[ir_measures.ScoredDoc]]:
    """The same queries as judgements and a run with falling scores."""
    qrels = [
        ir_measures.Qrel(str(number), doc_id, grade)
        for number, (_, grades) in enumerate(queries)
        for doc_id, grade in grades.items()
    ]
    run = [
        ir_measures.ScoredDoc(str(number), doc_id, -float(position))
        for number, (doc_ids, _) in enumerate(queries)
        for position, doc_id in enumerate(doc_ids)
    ]
    return qrels, run


def oracle(k: int, *queries: Judged) -> Values:
    """The values that ir_measures computes for the same queries."""
    qrels, run = trec_files(queries)
    return {
        (family, int(each.query_id)): each.value
        for family, (provider, measure) in ORACLES.items()
        for each in provider.iter_calc([measure @ k if MEASURES[family].has_cutoff else measure], qrels, run)
    }


def test_one_of_five_relevant_documents_at_rank_one_gives_the_textbook_ndcg():
    """One of five relevant retrieved first at k = 5 is 0.339."""
    relevance = locate([(["a"], dict.fromkeys("abcde", 1))])
    assert ndcg(relevance, 5)[0] == pytest.approx(0.3391602052736161, abs=1e-12)


LOG3 = math.log2(3)
BY_HAND = {
    "the only relevant document first": ("abc", {"a": 1}, 3, (1.0, 1.0, 1.0, 1.0)),
    "the only relevant document at the cutoff": ("abc", {"c": 1}, 3, (1.0, 1.0, 1 / 3, 0.5)),
    "the only relevant document one below the cutoff": ("abc", {"c": 1}, 2, (0.0, 0.0, 0.0, 0.0)),
    "a ranking shorter than the cutoff": ("ab", {"b": 1, "x": 1}, 9, (0.5, 1.0, 0.5, (1 / LOG3) / (1 + 1 / LOG3))),
    "more relevant documents than the cutoff": ("ab", {"a": 1, "b": 1, "x": 1, "y": 1}, 2, (0.5, 1.0, 1.0, 1.0)),
    "an empty ranking": ("", {"a": 1}, 3, (0.0, 0.0, 0.0, 0.0)),
    "documents nobody judged": ("xyz", {"a": 1}, 3, (0.0, 0.0, 0.0, 0.0)),
    "grade 0 is judged and not relevant": ("xa", {"x": 0, "a": 1}, 2, (1.0, 1.0, 0.5, 1 / LOG3)),
    "nothing relevant": ("ab", {"a": 0}, 2, (0.0, 0.0, 0.0, 0.0)),
    "no judgement": ("ab", {}, 2, (0.0, 0.0, 0.0, 0.0)),
    "the gain is the grade": ("ab", {"a": 1, "b": 3}, 2, (1.0, 1.0, 1.0, (1 + 3 / LOG3) / (3 + 1 / LOG3))),
    "the ideal, too, stops at the cutoff": ("ab", {"a": 1, "b": 3}, 1, (0.5, 1.0, 1.0, 1 / 3)),
    "a document given twice counts where it came first": ("aab", {"a": 1}, 3, (1.0, 1.0, 1.0, 1.0)),
}


@pytest.mark.parametrize(("doc_ids", "grades", "k", "expected"), BY_HAND.values(), ids=BY_HAND)
def test_the_measures_are_what_a_person_computes(
    doc_ids: str, grades: dict[str, int], k: int, expected: tuple[float, ...]
):
    """Recall, success, MRR and nDCG of small rankings are the numbers worked out on paper."""
    found = values(k, (doc_ids, grades))
    assert [found[family, 0] for family in ("recall", "success", "mrr", "ndcg")] == pytest.approx(expected, abs=1e-12)


@given(queries=st.lists(judged, min_size=1, max_size=5), k=cutoffs)
@examples(250)
def test_every_measure_equals_the_oracle(queries: list[Judged], k: int):
    """One query or many, binary or graded, short, empty or unjudged rankings: the values are those of ir_measures."""
    assert values(k, *queries) == pytest.approx(oracle(k, *queries), rel=0, abs=1e-12)


def test_a_query_that_the_run_missed_is_an_empty_ranking_to_a_measure_as_to_the_oracle():
    """A missed query is worth 0 and shifts none of its neighbours."""
    answered, missed = ("a", {"a": 1}), ("", {"a": 1})
    computed = values(1, answered, missed, answered)
    assert computed == oracle(1, answered, missed, answered)
    assert computed == {(family, number): float(number != 1) for family in FAMILIES for number in range(3)}


@FAMILY
def test_no_queries_have_no_values(family: str):
    """Nothing in, nothing out."""
    assert evaluate(locate([]), at(family, 3)).tolist() == []


@given(queries=st.lists(judged, min_size=2, max_size=5), k=cutoffs)
@EXAMPLES
def test_a_query_is_measured_alone_whoever_is_measured_beside_it(queries: list[Judged], k: int):
    """The values of many queries are those of each query, to the bit."""
    alone = {
        (family, number): value for number, each in enumerate(queries) for (family, _), value in values(k, each).items()
    }
    assert values(k, *queries) == alone


@given(query=judged, k=cutoffs)
@EXAMPLES
def test_a_measure_is_a_ratio(query: Judged, k: int):
    """Every value is in [0, 1]."""
    assert all(0.0 <= value <= 1.0 for value in values(k, query).values())


@given(grades=grades.filter(lambda grades: any(grades.values())), k=cutoffs)
@EXAMPLES
def test_the_best_order_is_worth_one(grades: dict[str, int], k: int):
    """Ranking by grade gives 1; in recall and precision only as far as cutoff and judgements have room."""
    best = sorted(grades, key=grades.__getitem__, reverse=True)
    n_relevant = sum(grade > 0 for grade in grades.values())
    expected = dict.fromkeys(((family, 0) for family in FAMILIES), 1.0)
    expected["recall", 0] = min(k, n_relevant) / n_relevant
    expected["precision", 0] = min(k, n_relevant) / k
    assert values(k, (best, grades)) == expected


@given(query=judged.filter(lambda query: len(query[0]) > 1), k=cutoffs, data=st.data())
@EXAMPLES
def test_a_measure_never_falls_when_a_relevant_document_moves_up(query: Judged, k: int, data: st.DataObject):
    """Changing places with a less relevant document above is never a loss, and within the cutoff a gain in nDCG."""
    doc_ids, grades = query
    upper, lower = sorted(data.draw(st.lists(st.integers(0, len(doc_ids) - 1), min_size=2, max_size=2, unique=True)))
    worse, better = sorted((doc_ids[upper], doc_ids[lower]), key=lambda doc_id: grades.get(doc_id, 0))
    before, after = list(doc_ids), list(doc_ids)
    before[upper], before[lower] = worse, better
    after[upper], after[lower] = better, worse
    low, high = values(k, (before, grades)), values(k, (after, grades))
    assert all(high[each] >= low[each] for each in high)
    if upper < k and grades.get(better, 0) > grades.get(worse, 0):
        assert high["ndcg", 0] > low["ndcg", 0]


@given(grades=st.dictionaries(st.sampled_from(DOC_IDS), st.integers(0, 3)), k=cutoffs, order=st.permutations(DOC_IDS))
@example(grades=dict.fromkeys("abcdef", 1), k=10, order=list("fedcba"))
@EXAMPLES
def test_equally_relevant_documents_change_places_without_a_trace(grades: dict[str, int], k: int, order: Sequence[str]):
    """Two orders that differ among equals only have the same values to the bit: nothing has changed, nothing shows."""
    one, other = (sorted(each, key=lambda doc_id: -grades.get(doc_id, 0)) for each in (DOC_IDS, order))
    assert values(k, (one, grades)) == values(k, (other, grades))


@given(query=judged, k=cutoffs, names=st.permutations(DOC_IDS))
@EXAMPLES
def test_the_names_of_documents_do_not_matter(query: Judged, k: int, names: list[str]):
    """Renaming every document, in rankings and judgements alike, changes no value."""
    renamed = dict(zip(DOC_IDS, names, strict=True))
    doc_ids, grades = query
    same = [renamed[doc_id] for doc_id in doc_ids], {renamed[doc_id]: grade for doc_id, grade in grades.items()}
    assert values(k, same) == values(k, query)


@given(query=judged, k=cutoffs, data=st.data())
@EXAMPLES
def test_the_order_of_judgements_does_not_matter(query: Judged, k: int, data: st.DataObject):
    """Judgements written in another order give the same values."""
    doc_ids, grades = query
    shuffled = dict(data.draw(st.permutations(list(grades.items()))))
    assert values(k, (doc_ids, shuffled)) == pytest.approx(values(k, query), abs=1e-12)


@given(query=judged, k=cutoffs)
@EXAMPLES
def test_hits_below_the_cutoff_change_nothing(query: Judged, k: int):
    """What a ranking holds after its first k hits has no influence on a measure at k."""
    doc_ids, grades = query
    cut, whole = values(k, (doc_ids[:k], grades)), values(k, query)
    with_cutoff = [(family, number) for family, number in whole if MEASURES[family].has_cutoff]
    assert [cut[each] for each in with_cutoff] == [whole[each] for each in with_cutoff]


@given(query=judged.filter(lambda query: len(query[0]) > 0), k=cutoffs, data=st.data())
@EXAMPLES
def test_a_repeated_document_takes_a_place_and_earns_nothing(query: Judged, k: int, data: st.DataObject):
    """A second copy of a hit is worth what an irrelevant document at its place is worth."""
    doc_ids, grades = query
    first = data.draw(st.integers(0, len(doc_ids) - 1))
    place = data.draw(st.integers(first + 1, len(doc_ids)))
    repeated = [*doc_ids[:place], doc_ids[first], *doc_ids[place:]]
    displaced = [*doc_ids[:place], "irrelevant", *doc_ids[place:]]
    assert values(k, (repeated, grades)) == values(k, (displaced, grades))


@pytest.mark.parametrize("grade", [1, 3])
def test_a_single_judgement_is_measured_as_one_among_irrelevant_ones(grade: int):
    """A query with one judgement, the most common kind, has the values of one whose other documents are grade 0."""
    assert values(5, ("xya", {"a": grade})) == values(5, ("xya", {"z": 0, "a": grade, "x": 0}))


MORE_BY_HAND = {
    "one of three is not retrieved": (
        "abcd",
        {"a": 1, "c": 2, "x": 1},
        2,
        (1 / 2, (1 + 2 / 3) / 3, 2 / 3),
    ),
    "a ranking shorter than the cutoff": ("a", {"a": 1}, 4, (1 / 4, 1.0, 1.0)),
    "the relevant document just outside R": ("ab", {"a": 0, "b": 1}, 1, (0.0, 1 / 2, 0.0)),
    "an empty ranking": ("", {"a": 1}, 3, (0.0, 0.0, 0.0)),
    "nothing relevant": ("ab", {"a": 0}, 2, (0.0, 0.0, 0.0)),
    "a document given twice counts where it came first": ("aab", {"a": 1, "b": 1}, 3, (2 / 3, (1 + 2 / 3) / 2, 1 / 2)),
}


@pytest.mark.parametrize(("doc_ids", "grades", "k", "expected"), MORE_BY_HAND.values(), ids=MORE_BY_HAND)
def test_precision_and_its_averages_are_what_a_person_computes(
    doc_ids: str, grades: dict[str, int], k: int, expected: tuple[float, ...]
):
    """Precision, average precision and R-precision of small rankings are the numbers worked out on paper."""
    computed = values(k, (doc_ids, grades))
    assert [computed[family, 0] for family in ("precision", "ap", "rprec")] == pytest.approx(expected, abs=1e-12)


@given(queries=st.lists(judged.filter(lambda query: len(query[0]) > 0), min_size=1, max_size=5), k=cutoffs)
@EXAMPLES
def test_the_share_of_judged_hits_equals_the_oracle(queries: list[Judged], k: int):
    """judged@k counts every grade, relevant or not, over the hits there are."""
    qrels, run = trec_files(queries)
    expected = {each.query_id: each.value for each in (ir_measures.Judged @ k).iter_calc(qrels, run)}
    shares = evaluate(locate(queries), f"judged@{k}").tolist()
    assert dict(zip(map(str, range(len(queries))), shares, strict=True)) == pytest.approx(expected, rel=0, abs=1e-12)


def test_an_empty_ranking_has_no_judged_hits():
    """Without hits the share of judged hits is 0."""
    assert evaluate(locate([("", {"a": 1})]), "judged@5").tolist() == [0.0]


@pytest.mark.parametrize("measure", ["", "recall", "recall@", "@10", "Recall@10", "map@10", "recall@5.0", " recall@5"])
def test_an_unknown_measure_is_refused_with_the_known_ones(measure: str):
    """A misspelt measure is an error that quotes it and lists the measures."""
    with pytest.raises(ComparisonError) as refused:
        evaluate(locate([]), measure)
    assert str(refused.value).startswith(f"unknown measure {measure!r}; known measures: recall@k, mrr@k, ndcg@k, ")


def test_a_measure_of_pairs_or_answers_is_not_computed_from_rankings():
    """A measure that needs something else than rankings is refused."""
    with pytest.raises(ComparisonError, match="measure 'pair_accuracy' needs pairs, not rankings"):
        evaluate(locate([]), "pair_accuracy")


@pytest.mark.parametrize("k", [0, -1])
@pytest.mark.parametrize("family", [family for family in FAMILIES if MEASURES[family].has_cutoff])
def test_a_cutoff_below_one_is_refused(family: str, k: int):
    """A measure of no hits at all does not exist."""
    with pytest.raises(ComparisonError, match=f"measure '{family}@{k}': the cutoff must be 1 or more"):
        evaluate(locate([]), f"{family}@{k}")
