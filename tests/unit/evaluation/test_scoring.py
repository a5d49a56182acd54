"""Every query of a run is scored, failed or skipped, and a failure is never a zero."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import ComparisonError, Reason
from monitor.evaluation.measures import REPORTED
from monitor.evaluation.scoring import PAIR_DEPTH, depth_of, fingerprint, measure, run_depth, stratum_means
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.runs import Outcome, Ranking
from monitor.model.suites import Axis, Pair
from monitor.statistics.pairing import pair
from tests.builders import Brought, a_measured, a_query, a_run, a_suite, an_outcome

TWO_QUERIES = a_suite(a_query("q1", {"a": 1}), a_query("q2", {"b": 1}))
THREE_QUERIES = a_suite(a_query("q1", {"a": 1}), a_query("q2", {"b": 1}), a_query("q3", {"c": 1}))
PAIRS = a_suite(
    a_query("q1", {"x": 1}),
    a_query("q2", {"y": 1}),
    pairs=[Pair("q1", "x", "y", mirror_id="q2"), Pair("q2", "y", "x", mirror_id="q1")],
    axis=Axis.COMPOSITIONAL,
)

rankings = st.lists(st.sampled_from("abcdef"), unique=True)
brought = st.one_of(rankings, rankings, st.sampled_from(Reason))
judgements = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2), max_size=3)
replayed = st.lists(st.tuples(judgements, brought), min_size=1, max_size=8)


def by_query(measured: Measured, name: str) -> dict[str, float]:
    """The values of one measure by query id."""
    found = measured.measurements[name]
    assert found.measure == name
    return dict(zip(found.query_ids, found.values.tolist(), strict=True))


def replay_of(queries: list[tuple[dict[str, int], Brought]]) -> Measured:
    """Queries with these judgements, each with what its probe brought; one without a judgement is not asked."""
    suite = a_suite(*(a_query(f"q{number}", grades) for number, (grades, _) in enumerate(queries)))
    asked = {
        query.query_id: each if query.is_judged else None
        for query, (_, each) in zip(suite.queries, queries, strict=True)
    }
    return a_measured(suite, asked)


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("name", REPORTED)
def test_a_failed_query_is_in_no_mean(reason: Reason, name: str):
    """A probe that failed, for whatever reason, has no value and moves no mean."""
    measured = a_measured(TWO_QUERIES, {"q1": "a", "q2": reason})
    assert by_query(measured, name) == {"q1": 1.0}
    assert measured.measurements[name].mean == 1.0


@pytest.mark.parametrize("name", REPORTED)
def test_an_empty_ranking_is_truthfully_a_zero(name: str):
    """A retriever that answered with no hits at all was asked, was well, and found nothing."""
    measured = a_measured(TWO_QUERIES, {"q1": "a", "q2": ""})
    assert by_query(measured, name) == {"q1": 1.0, "q2": 0.0}
    assert measured.measurements[name].mean == 0.5
    assert (measured.counts.scored, measured.counts.failed, measured.counts.coverage) == (2, 0, 1.0)


@pytest.mark.parametrize("grades", [{}, {"a": 0}], ids=["no judgement", "grade 0 only"])
@pytest.mark.parametrize("asked", [None, "a", Reason.TIMEOUT], ids=["not asked", "answered", "failed"])
def test_a_query_without_a_relevant_judgement_is_skipped(grades: dict[str, int], asked: Brought):
    """The expected results of such a query are unknown, so it is skipped, whatever the outcome."""
    suite = a_suite(a_query("q1", {"a": 1}), a_query("q2", grades))
    measured = a_measured(suite, {"q1": "a", "q2": asked})
    counts = measured.counts
    assert (counts.scored, counts.failed, counts.skipped, counts.coverage) == (1, 0, 1, 1.0)
    assert counts.reasons == {}
    assert by_query(measured, "recall@5") == {"q1": 1.0}


def test_failures_are_counted_with_their_reasons():
    """Each failure is counted under its reason, and coverage is scored over scored plus failed."""
    suite = a_suite(*(a_query(query_id, {"a": 1}) for query_id in ("q1", "q2", "q3", "q4")), a_query("q5", {}))
    asked = {"q1": Reason.TIMEOUT, "q2": "a", "q3": Reason.BROKEN, "q4": Reason.TIMEOUT, "q5": None}
    counts = a_measured(suite, asked).counts
    assert (counts.attempted, counts.scored, counts.failed, counts.skipped) == (5, 1, 3, 1)
    assert counts.reasons == {Reason.TIMEOUT: 2, Reason.BROKEN: 1}
    assert counts.coverage == 0.25


@given(queries=replayed)
def test_every_query_is_scored_or_failed_or_skipped(queries: list[tuple[dict[str, int], Brought]]):
    """Attempted = scored + failed + skipped, each counted one by one, and every scored query has every value."""
    measured = replay_of(queries)
    fates = Counter(
        "skipped" if not any(grades.values()) else "failed" if isinstance(each, Reason) else "scored"
        for grades, each in queries
    )
    counts = measured.counts
    assert (counts.scored, counts.failed, counts.skipped) == (fates["scored"], fates["failed"], fates["skipped"])
    assert counts.attempted == len(queries)
    assert sum(counts.reasons.values()) == counts.failed
    assert {len(measured.measurements[name].values) for name in REPORTED} == {counts.scored}


@given(queries=replayed, failing=st.sets(st.integers(0, 7)), reason=st.sampled_from(Reason))
def test_failures_leave_every_other_value_as_it_was(
    queries: list[tuple[dict[str, int], Brought]], failing: set[int], reason: Reason
):
    """When some probes fail, the values of the others are those of the run where all went well, to the bit."""
    whole = replay_of(queries)
    torn = replay_of([(grades, reason if number in failing else each) for number, (grades, each) in enumerate(queries)])
    lost = {f"q{number}" for number in failing}
    for name in REPORTED:
        kept = {query_id: value for query_id, value in by_query(whole, name).items() if query_id not in lost}
        assert by_query(torn, name) == kept


def test_nothing_scored_is_not_a_number():
    """When every probe failed, coverage is 0 and the means are not numbers, let alone zeros."""
    measured = a_measured(TWO_QUERIES, {"q1": Reason.TIMEOUT, "q2": Reason.BROKEN})
    assert measured.counts.coverage == 0.0
    assert all(math.isnan(each.mean) for each in measured.measurements.values())
    assert math.isnan(measured.judged_share)


def test_values_come_in_the_order_of_the_suite():
    """Values are in the order of the queries of the suite, in any order of the outcomes."""
    measured = a_measured(THREE_QUERIES, {"q3": "xc", "q1": "a", "q2": "xxb"})
    assert list(by_query(measured, "mrr@10").items()) == [("q1", 1.0), ("q2", 1 / 3), ("q3", 0.5)]


def test_only_the_measures_asked_for_are_computed():
    """The caller chooses the rank measures and their cutoffs."""
    measured = a_measured(TWO_QUERIES, {"q1": "xa", "q2": "b"}, measures=("mrr@1", "recall@2"))
    assert {name: by_query(measured, name) for name in measured.measurements} == {
        "mrr@1": {"q1": 0.0, "q2": 1.0},
        "recall@2": {"q1": 1.0, "q2": 1.0},
    }


def test_rank_is_position_whatever_the_scores_say():
    """Ties and rising scores keep the retriever's order."""
    suite = a_suite(a_query("q1", {"a": 1}))
    plain = a_run(suite, {"q1": "abc"})
    for scores in ((1.0, 1.0, 1.0), (0.1, 0.5, 0.9), None):
        scored = replace(
            plain, outcomes=(Outcome(query_id="q1", ranking=Ranking(doc_ids=("a", "b", "c"), scores=scores)),)
        )
        assert by_query(measure(scored, suite), "mrr@10") == {"q1": 1.0}


def test_a_missing_outcome_is_refused_and_never_a_zero():
    """A run without an outcome for a query cannot be measured."""
    with pytest.raises(ComparisonError) as refused:
        a_measured(TWO_QUERIES, {"q1": "a"})
    assert str(refused.value) == "run run-1 has 1 outcomes for 2 queries: each query needs exactly one"


def test_a_query_with_two_outcomes_is_refused():
    """Two outcomes of one query contradict each other."""
    run = a_run(TWO_QUERIES, {"q1": "a", "q2": "b"})
    with pytest.raises(ComparisonError, match="has 3 outcomes for 2 queries"):
        measure(replace(run, outcomes=(*run.outcomes, an_outcome("q2", ""))), TWO_QUERIES)


@pytest.mark.parametrize("asked", [{"q1": "a", "q9": "b"}, {"q1": "a", "q2": "b", "q9": "c"}], ids=["instead", "too"])
def test_an_outcome_of_an_unknown_query_is_refused(asked: dict[str, Brought]):
    """A run with a query that the suite does not have was not replayed from this suite."""
    with pytest.raises(ComparisonError, match="each query needs exactly one"):
        a_measured(TWO_QUERIES, asked)


def test_a_run_of_another_version_of_the_suite_is_refused():
    """A moved ruler is refused, with both versions named."""
    run = a_run(TWO_QUERIES, {"q1": "a", "q2": "b"})
    other = replace(TWO_QUERIES, digest="0123456789abcdef")
    with pytest.raises(ComparisonError) as refused:
        measure(run, other)
    assert str(refused.value) == ("run run-1 was replayed from version digest of br of suite broad, not 0123456789ab")


def test_pairs_are_measured_beside_the_ranks():
    """A suite with pairs has pair and mirrored accuracy as well."""
    measured = a_measured(PAIRS, {"q1": "xy", "q2": "xy"})
    assert by_query(measured, "pair_accuracy") == {"q1": 1.0, "q2": 0.0}
    assert by_query(measured, "mirrored_accuracy") == {"q1": 0.0}
    assert by_query(measured, "mrr@10") == {"q1": 1.0, "q2": 0.5}


def test_structure_is_measured_apart_from_retrieval():
    """Reach, the forced choice and the group score stand beside the ranks; without scores there is no separation."""
    measured = a_measured(PAIRS, {"q1": "xy", "q2": "ab"})
    assert by_query(measured, "reach") == {"q1": 1.0, "q2": 0.0}
    assert by_query(measured, "structure") == {"q1": 1.0}
    assert not {"group_score", "separation"} & measured.measurements.keys()


def test_separation_comes_from_the_scores_of_the_target():
    """A run whose hits have scores has a separation for each pair with a returned document."""
    run = a_run(PAIRS, {"q1": "xya", "q2": "xya"})
    scores = (0.9, 0.8, 0.1)
    outcomes = tuple(
        replace(outcome, ranking=replace(outcome.ranking, scores=scores)) for outcome in run.outcomes if outcome.ranking
    )
    measured = measure(replace(run, outcomes=outcomes), PAIRS)
    assert by_query(measured, "separation") == pytest.approx({"q1": 0.2810, "q2": -0.2810}, abs=1e-4)


def test_a_measure_of_which_less_is_better_is_shown_and_not_compared():
    """The rate of violating documents is in the means of a run, and not among the measurements that are compared."""
    measured = a_measured(PAIRS, {"q1": "xy", "q2": "xy"})
    assert set(measured.shown_only) == {"violating@1", "violating@10"}
    assert not measured.shown_only.keys() & measured.measurements.keys()
    assert ("overall", "violating@1", 0.5) in list(stratum_means(measured))
    assert not any(each.measure in measured.shown_only for each in pair(measured, measured, Policy()))


def test_a_failed_query_is_in_no_pair():
    """The pair of a failed query is left out, and so is the mirrored pair that needs it."""
    measured = a_measured(PAIRS, {"q1": Reason.TIMEOUT, "q2": "yx"})
    assert by_query(measured, "pair_accuracy") == {"q2": 1.0}
    assert "mirrored_accuracy" not in measured.measurements


def test_a_suite_without_pairs_has_no_pair_measures():
    """A broad suite is measured by rank alone."""
    assert tuple(a_measured(TWO_QUERIES, {"q1": "a", "q2": "b"}).measurements) == REPORTED


JUDGED_SHARE = {
    "all judged, relevant or not": ({"q1": "ax", "q2": "b"}, 1.0),
    "one of four, and one of two": ({"q1": "auvw", "q2": "bu"}, (1 / 4 + 1 / 2) / 2),
    "one of four, one of two, and one of one": ({"q1": "auvw", "q2": "bu", "q3": "c"}, (1 / 4 + 1 / 2 + 1) / 3),
    "none judged": ({"q1": "uv", "q2": "u"}, 0.0),
    "judged for another query only": ({"q1": "b", "q2": "a"}, 0.0),
    "an empty ranking has no share": ({"q1": "auvw", "q2": ""}, 1 / 4),
    "a failure has no share": ({"q1": "au", "q2": Reason.TIMEOUT}, 1 / 2),
    "below every cutoff, too": ({"q1": "uuuuuuuuuua", "q2": Reason.TIMEOUT}, 1 / 11),
}


@pytest.mark.parametrize(("asked", "expected"), JUDGED_SHARE.values(), ids=JUDGED_SHARE)
def test_the_judged_share_is_a_mean_over_the_rankings(asked: dict[str, Brought], expected: float):
    """The share of returned documents with a judgement, grade 0 included, is taken per ranking and averaged."""
    suite = a_suite(a_query("q1", {"a": 1, "x": 0}), a_query("q2", {"b": 2}), a_query("q3", {"c": 1}))
    assert a_measured(suite, {"q3": Reason.BROKEN} | asked).judged_share == pytest.approx(expected, abs=1e-12)


def test_nothing_returned_has_no_judged_share():
    """Empty rankings say nothing about judgements."""
    assert math.isnan(a_measured(TWO_QUERIES, {"q1": "", "q2": ""}).judged_share)


def test_stratum_means_are_those_of_the_whole_and_of_each_stratum():
    """Each stratum has the mean of its scored queries; one without a scored query has none."""
    suite = a_suite(
        a_query("q1", {"a": 1}, stratum="law"),
        a_query("q2", {"a": 1}, stratum="health"),
        a_query("q3", {"a": 1}, stratum="law"),
        a_query("q4", {"a": 1}, stratum="law"),
        a_query("q5", {"a": 1}, stratum="sport"),
    )
    asked = {"q1": "a", "q2": "a", "q3": "xa", "q4": Reason.TIMEOUT, "q5": Reason.TIMEOUT}
    means = list(stratum_means(a_measured(suite, asked, measures=("mrr@10",))))
    assert means == [("overall", "mrr@10", 2.5 / 3), ("law", "mrr@10", 0.75), ("health", "mrr@10", 1.0)]


def test_stratum_means_of_styles_follow_those_of_strata():
    """A suite with several styles has a mean for each, over all its strata."""
    queries = tuple(
        replace(query, style=style) for query, style in zip(TWO_QUERIES.queries, ("keyword", "title"), strict=True)
    )
    means = list(stratum_means(a_measured(replace(TWO_QUERIES, queries=queries), {"q1": "a", "q2": ""})))
    assert ("style: keyword", "mrr@10", 1.0) in means
    assert ("style: title", "mrr@10", 0.0) in means


def test_a_suite_of_one_stratum_is_told_once():
    """Where the only stratum is the whole, there is the overall mean alone."""
    means = list(stratum_means(a_measured(TWO_QUERIES, {"q1": "a", "q2": ""}, measures=("mrr@10", "recall@5"))))
    assert means == [("overall", "mrr@10", 0.5), ("overall", "recall@5", 0.5)]


def test_nothing_scored_has_no_stratum_mean():
    """A run in which every probe failed has no measurements."""
    assert list(stratum_means(a_measured(TWO_QUERIES, {"q1": Reason.BROKEN, "q2": Reason.BROKEN}))) == []


SEEN = (an_outcome("q1", "ab"), an_outcome("q2", "cd"))
SAME = {
    "outcomes in another order": SEEN[::-1],
    "slower": tuple(replace(each, duration_s=9.0) for each in SEEN),
    "other scores": (Outcome(query_id="q1", ranking=Ranking(doc_ids=("a", "b"), scores=(0.9, 0.1))), SEEN[1]),
    "another deployment": (Outcome(query_id="q1", ranking=Ranking(doc_ids=("a", "b"), deployment="model-2")), SEEN[1]),
}
CHANGED = {
    "another order of hits": (an_outcome("q1", "ba"), SEEN[1]),
    "a hit more": (an_outcome("q1", "abc"), SEEN[1]),
    "a hit less": (an_outcome("q1", "a"), SEEN[1]),
    "a hit that moved to the next query": (an_outcome("q1", "a"), an_outcome("q2", "bcd")),
    "rankings of each other's query": (an_outcome("q1", "cd"), an_outcome("q2", "ab")),
    "no hits": (an_outcome("q1", ""), SEEN[1]),
    "a failure": (an_outcome("q1", Reason.TIMEOUT), SEEN[1]),
    "another failure": (SEEN[0], an_outcome("q2", Reason.TIMEOUT)),
    "the ranking of the query that now fails": (an_outcome("q1", Reason.TIMEOUT), an_outcome("q2", "ab")),
    "two ids run together": (an_outcome("q1", ["ab"]), SEEN[1]),
}


@pytest.mark.parametrize("outcomes", SAME.values(), ids=SAME)
def test_the_fingerprint_is_that_of_what_a_user_could_see(outcomes: tuple[Outcome, ...]):
    """Equal rankings of equal queries have equal fingerprints."""
    assert fingerprint(outcomes) == fingerprint(SEEN)


def test_every_visible_change_changes_the_fingerprint():
    """No two sets of different rankings share a fingerprint; an empty ranking is not a failure."""
    fingerprints = {fingerprint(outcomes) for outcomes in (SEEN, *CHANGED.values())}
    assert len(fingerprints) == 1 + len(CHANGED)


def test_a_probe_asks_as_deep_as_the_deepest_measure():
    """The depth is the largest cutoff; pair measures have none and take what there is."""
    assert depth_of(("recall@5", "ndcg@20", "mrr@10", "pair_accuracy", "mirrored_accuracy")) == 20


def test_a_suite_with_pairs_is_probed_deeper_unless_it_sets_a_depth():
    """Both documents of a pair are requested; a depth in suite.yaml and a deeper cutoff take precedence."""
    assert run_depth(TWO_QUERIES, REPORTED) == 10
    assert run_depth(PAIRS, REPORTED) == PAIR_DEPTH
    assert run_depth(replace(PAIRS, depth=20), REPORTED) == 20
    assert run_depth(replace(PAIRS, depth=20), ("recall@100",)) == 100


def test_more_hits_change_no_measure_with_a_cutoff():
    """Hits below the cutoff move neither mrr@10 nor any other measure that every run reports."""
    first = [f"d{number}" for number in range(10)]
    shallow = a_measured(PAIRS, {"q1": first, "q2": ["x", *first[:9]]})
    deep = a_measured(PAIRS, {"q1": [*first, "x", "y"], "q2": ["x", *first[:9], "y", "z"]})
    assert all(by_query(shallow, name) == by_query(deep, name) for name in REPORTED)
    assert by_query(deep, "reach") == {"q1": 1.0, "q2": 1.0}
