"""Two runs are paired query by query, by the same ruler, and grouped into clusters."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import ComparisonError, Reason
from monitor.evaluation.scoring import measure
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.suites import Axis, Pair, Query, Suite
from monitor.statistics.pairing import OVERALL, PHENOMENA, Paired, is_part, pair, paired_coverage, refuse_unlike
from tests.builders import Brought, a_measured, a_query, a_run, a_suite
from tests.properties import examples

LOST = Reason.TIMEOUT
THREE = a_suite(a_query("q1"), a_query("q2"), a_query("q3"))
ALL_FOUND: Mapping[str, Brought] = {"q1": ["d1"], "q2": ["d1"], "q3": ["d1"]}
TWO_STRATA = a_suite(
    a_query("q1", stratum="law"), a_query("q2", stratum="law"), a_query("q3", stratum="art"), name="broad"
)

brought = st.one_of(st.lists(st.sampled_from(["d1", "d2", "d3"]), unique=True), st.sampled_from(Reason))
replayed = st.lists(st.tuples(brought, brought, st.sampled_from("ab"), st.sampled_from("xy")), min_size=1, max_size=9)


def found(suite: Suite, lists: str) -> Measured:
    """A run in which each query of the suite found its document (`+`), did not (`-`), or failed (`!`)."""
    meaning: Mapping[str, Brought] = {"+": ["d1"], "-": ["d2"], "!": LOST}
    return a_measured(suite, {query.query_id: meaning[each] for query, each in zip(suite.queries, lists, strict=True)})


def only(pairs: list[Paired], *, stratum: str = OVERALL, measure: str = "recall@10") -> Paired:
    """The one that is asked for."""
    [each] = [each for each in pairs if (each.stratum, each.measure) == (stratum, measure)]
    return each


def test_candidate_and_baseline_are_matched_by_query_not_by_place():
    """Whichever order the outcomes came back in, a query's value is compared with its own."""
    before = a_measured(THREE, {"q1": ["d1"], "q2": ["d2"], "q3": ["d1"]})
    after = a_measured(THREE, {"q3": ["d1"], "q2": ["d1"], "q1": ["d2"]})
    paired = only(pair(before, after, Policy()))
    assert paired.baseline.tolist() == [1, 0, 1]
    assert paired.candidate.tolist() == [0, 1, 1]
    assert paired.differences.tolist() == [-1, 1, 0]


@pytest.mark.parametrize(("before", "after"), [("+!+", "++-"), ("+++", "+!-"), ("+!+", "+!-")])
def test_a_query_that_failed_in_either_run_leaves_both(before: str, after: str):
    """A failure is no zero: the query counts neither in the baseline's mean nor in the candidate's."""
    paired = only(pair(found(THREE, before), found(THREE, after), Policy()))
    assert paired.n_queries == 2
    assert (paired.baseline.tolist(), paired.candidate.tolist()) == ([1, 1], [1, 0])


def test_nothing_is_paired_where_no_query_was_scored_twice():
    """Runs that failed on complementary halves leave no evidence, not evidence of zeros."""
    assert pair(found(THREE, "+!!"), found(THREE, "!++"), Policy()) == []


def test_a_stratum_that_failed_altogether_is_left_out_alone():
    """The other stratum and the whole are still compared."""
    pairs = pair(found(TWO_STRATA, "++!"), found(TWO_STRATA, "+++"), Policy())
    assert {each.stratum for each in pairs} == {OVERALL, "law"}


def test_the_whole_suite_and_each_stratum_are_compared():
    """Overall comes first, then the strata in the order in which the suite names them."""
    pairs = pair(found(TWO_STRATA, "+++"), found(TWO_STRATA, "+--"), Policy())
    recall = [each for each in pairs if each.measure == "recall@10"]
    assert [(each.stratum, each.n_queries) for each in recall] == [(OVERALL, 3), ("law", 2), ("art", 1)]
    assert [each.differences.tolist() for each in recall] == [[0, -1, -1], [0, -1], [-1]]


def test_each_style_is_compared_over_all_domains_and_cannot_page():
    """Styles are a second dimension: a query counts in its domain, which gates, and in its style, which explains."""
    styled = replace(
        TWO_STRATA,
        queries=tuple(
            replace(query, style=style)
            for query, style in zip(TWO_STRATA.queries, ("keyword", "title", "keyword"), strict=True)
        ),
    )
    pairs = pair(found(styled, "+++"), found(styled, "+--"), Policy())
    recall = {each.stratum: each for each in pairs if each.measure == "recall@10"}
    assert list(recall) == [OVERALL, "law", "art", "style: keyword", "style: title"]
    assert [recall[name].n_queries for name in ("style: keyword", "style: title")] == [2, 1]
    assert {name: each.gating for name, each in recall.items() if is_part(name)} == {"law": True, "art": True}
    assert not any(recall[name].gating for name in recall if name.startswith("style: "))


def test_a_suite_of_one_style_is_not_compared_by_style():
    """A single style is the whole suite again."""
    styled = replace(TWO_STRATA, queries=tuple(replace(query, style="keyword") for query in TWO_STRATA.queries))
    pairs = pair(found(styled, "+++"), found(styled, "+--"), Policy())
    assert {each.stratum for each in pairs} == {OVERALL, "law", "art"}


def test_a_suite_of_one_stratum_is_compared_once():
    """The only stratum is the whole suite; testing it twice would cost power and say nothing."""
    assert {each.stratum for each in pair(found(THREE, "+++"), found(THREE, "+++"), Policy())} == {OVERALL}


def test_only_measures_that_both_runs_have_are_compared():
    """A measure that was added since the baseline waits for the next baseline."""
    before = a_measured(THREE, ALL_FOUND, measures=("recall@5", "mrr@10"))
    after = a_measured(THREE, ALL_FOUND, measures=("ndcg@10", "mrr@10"))
    assert [each.measure for each in pair(before, after, Policy())] == ["mrr@10"]


@pytest.mark.parametrize("axis", Axis)
def test_what_gates_is_what_the_policy_names_for_the_axis(axis: Axis):
    """A measure gates on the axis that the policy names it for, and on no other."""
    suite = replace(TWO_STRATA, axis=axis)
    policy = Policy(gating={Axis.BROAD: ("recall@5",), Axis.COMPOSITIONAL: ("mrr@10", "recall@10")})
    pairs = pair(found(suite, "+++"), found(suite, "+++"), policy)
    assert {each.measure for each in pairs if each.gating} == set(policy.gating[axis])
    assert {each.axis for each in pairs} == {axis}
    # A mean over several phenomena hides which of them fell: on the compositional axis the strata gate alone.
    strata = 3 if axis is Axis.BROAD else 2
    assert len([each for each in pairs if each.gating]) == strata * len(policy.gating[axis])


def test_an_axis_that_the_policy_does_not_name_gates_nothing():
    """A policy for one axis alone does not page for the other."""
    policy = Policy(gating={Axis.COMPOSITIONAL: ("recall@10",)})
    assert not any(each.gating for each in pair(found(THREE, "+++"), found(THREE, "---"), policy))


def test_a_control_stratum_gates_as_general_retrieval():
    """A control that falls pages by its rank measures, never by the choice within a pair."""
    suite = replace(TWO_STRATA, controls=frozenset({"art"}))
    pairs = pair(found(suite, "+++"), found(suite, "---"), Policy())
    assert {each.stratum for each in pairs if each.gating} == {OVERALL, "law", "art"}
    assert {each.stratum for each in pairs if each.is_control} == {"art"}
    pairwise = Policy(gating={Axis.BROAD: ("pair_accuracy",)})
    assert not any(each.gating and each.is_control for each in pair(found(suite, "+++"), found(suite, "---"), pairwise))
    assert {each.stratum for each in pairs if each.measure == "mrr@10"} == {OVERALL, "law", "art"}


def test_measures_of_a_gain_are_pooled_over_the_phenomena_without_the_controls():
    """The pool of phenomena holds no control, gates nothing, and exists only beside controls."""
    pairs = tuple(Pair(query.query_id, "d1", "d2") for query in TWO_STRATA.queries)
    suite = replace(TWO_STRATA, axis=Axis.COMPOSITIONAL, pairs=pairs)
    with_control = replace(suite, controls=frozenset({"art"}))
    compared = pair(found(with_control, "+-+"), found(with_control, "+++"), Policy())
    pool = only(compared, stratum=PHENOMENA, measure="structure")
    assert pool.query_ids == ("q1", "q2")
    assert not pool.gating
    assert {each.measure for each in compared if each.stratum == PHENOMENA} == {"structure", "pair_accuracy"}
    for other in (suite, replace(suite, controls=frozenset({"art", "law"}))):
        assert all(each.stratum != PHENOMENA for each in pair(found(other, "+-+"), found(other, "+++"), Policy()))


def test_queries_of_one_source_are_one_cluster():
    """Sums are taken within clusters, and a cluster keeps all its queries together."""
    suite = a_suite(a_query("q1", cluster="page 1"), a_query("q2", cluster="page 2"), a_query("q3", cluster="page 1"))
    paired = only(pair(found(suite, "+++"), found(suite, "-+-"), Policy()))
    assert (paired.n_queries, paired.n_clusters) == (3, 2)
    assert [name.split("\x1f")[1] for name in paired.cluster_names] == ["page 1", "page 2"]
    assert paired.sum_by_cluster(paired.differences).tolist() == [-2, 0]


def test_clusters_of_equal_name_in_two_strata_are_two():
    """Strata number their templates independently: `1` of one is not `1` of another."""
    suite = a_suite(a_query("q1", stratum="law", cluster="1"), a_query("q2", stratum="art", cluster="1"))
    pairs = pair(found(suite, "++"), found(suite, "++"), Policy())
    overall, law, art = (only(pairs, stratum=stratum) for stratum in (OVERALL, "law", "art"))
    assert overall.n_clusters == 2
    assert set(overall.cluster_names) == {*law.cluster_names, *art.cluster_names}


def other_digest(suite: Suite) -> Suite:
    """The same queries by another ruler."""
    return replace(suite, digest="0123456789abcdef")


def test_runs_of_two_versions_of_a_suite_are_refused():
    """The message says which versions, cut to twelve digits, and what to do."""
    with pytest.raises(ComparisonError) as caught:
        pair(found(replace(THREE, digest="fedcba9876543210"), "+++"), found(other_digest(THREE), "+++"), Policy())
    assert str(caught.value) == (
        "suite broad has changed since the baseline (fedcba987654 → 0123456789ab): "
        "promote a run of the new version with `recallwatch baseline promote`"
    )


def test_runs_of_two_depths_are_refused():
    """Ten hits and fifty are not the same question, whatever the cutoff of the measure."""
    before = measure(a_run(THREE, ALL_FOUND, depth=10), THREE)
    after = measure(a_run(THREE, ALL_FOUND, depth=50), THREE)
    with pytest.raises(ComparisonError) as caught:
        refuse_unlike(before, after)
    assert str(caught.value) == (
        "the baseline requested 10 hits and this run 50: "
        "promote a run of the new depth with `recallwatch baseline promote`"
    )


def test_runs_of_one_suite_and_depth_are_not_refused():
    """What differs otherwise is what is measured."""
    refuse_unlike(found(THREE, "+++"), found(THREE, "---"))


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [("+++", "---", 1), ("+!+", "+++", 2 / 3), ("+++", "+!+", 2 / 3), ("!++", "++!", 1 / 3), ("!!!", "+++", 0)],
)
def test_coverage_is_the_share_of_queries_that_both_runs_scored(before: str, after: str, share: float):
    """A query that failed in either run is not covered."""
    assert paired_coverage(found(THREE, before), found(THREE, after)) == pytest.approx(share)


def test_a_query_without_a_judgement_does_not_lower_the_coverage():
    """It was never meant to be scored."""
    suite = a_suite(a_query("q1"), a_query("q2", {}))
    run = a_measured(suite, {"q1": ["d1"], "q2": None})
    assert paired_coverage(run, run) == 1


def test_a_suite_without_judgements_has_no_coverage():
    """Nothing to score is not the same as everything scored."""
    suite = a_suite(a_query("q1", {}))
    run = a_measured(suite, {"q1": None})
    assert paired_coverage(run, run) == 0


@examples(60)
@given(replayed)
def test_strata_and_clusters_add_up_to_the_whole(probes: list[tuple[Brought, Brought, str, str]]):
    """Every query that both runs scored is in the whole once, in one stratum once, and in one cluster once."""
    queries: list[Query] = [
        a_query(f"q{number}", stratum=stratum, cluster=cluster)
        for number, (_, _, stratum, cluster) in enumerate(probes)
    ]
    suite = a_suite(*queries)
    before = a_measured(suite, {query.query_id: each[0] for query, each in zip(queries, probes, strict=True)})
    after = a_measured(suite, {query.query_id: each[1] for query, each in zip(queries, probes, strict=True)})
    pairs = [each for each in pair(before, after, Policy()) if each.measure == "ndcg@10"]
    scored = sum(not isinstance(a, Reason) and not isinstance(b, Reason) for a, b, _, _ in probes)
    overall = [each for each in pairs if each.stratum == OVERALL]
    strata = [each for each in pairs if each.stratum != OVERALL]
    assert sum(each.n_queries for each in overall) == scored
    assert paired_coverage(before, after) == pytest.approx(scored / len(probes))
    for each in pairs:
        assert each.sum_by_cluster(each.differences).sum() == pytest.approx(each.differences.sum())
        assert np.unique(each.cluster).tolist() == list(range(each.n_clusters))
    if len(suite.strata) > 1:
        assert sum(each.n_queries for each in strata) == scored
        assert sum(each.n_clusters for each in strata) == sum(each.n_clusters for each in overall)
