"""Recall headroom: evidence that slides towards the edge of the context window is seen before recall falls."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import ComparisonError
from monitor.evaluation.headroom import Zone, headroom, last_ranks, shift
from monitor.model.passages import Passage, Sources
from monitor.model.runs import Ranking
from monitor.model.suites import Query
from tests.builders import a_query, a_suite
from tests.properties import examples

# Nothing is timed here, and a busy machine must not fail a test.
EXAMPLES = examples(150)

ids = st.sampled_from([f"q{number}" for number in range(8)])
ranks = st.dictionaries(ids, st.integers(0, 40))
windows = st.integers(1, 12)

AT_THE_EDGES = {1: Zone.INSIDE, 5: Zone.INSIDE, 6: Zone.OUTSIDE, 10: Zone.OUTSIDE, 11: Zone.BEYOND, 0: Zone.UNRETRIEVED}


@pytest.mark.parametrize(("rank", "zone"), AT_THE_EDGES.items())
def test_the_zones_begin_and_end_where_they_say(rank: int, zone: Zone):
    """Inside is up to k, just outside up to 2k, beyond after that; rank 0 was not retrieved."""
    assert headroom({"q1": rank}, window=5).zones == (zone,)


@pytest.mark.parametrize("window", [3, 7, 49, 1_000_003])
def test_no_rounding_moves_an_edge(window: int):
    """The edges hold for windows that do not divide evenly."""
    found = headroom({"a": window, "b": window + 1, "c": 2 * window, "d": 2 * window + 1}, window)
    assert found.zones == (Zone.INSIDE, Zone.OUTSIDE, Zone.OUTSIDE, Zone.BEYOND)


@given(ranks=ranks, window=windows)
@EXAMPLES
def test_every_query_is_in_one_zone(ranks: dict[str, int], window: int):
    """The shares are those of the zones and add up to 1, and the distribution counts every query."""
    found = headroom(ranks, window)
    assert found.distribution == Counter(ranks.values())
    for zone in Zone:
        assert found.indicator(zone).tolist() == [each is zone for each in found.zones]
    if ranks:
        assert math.fsum(found.shares.values()) == pytest.approx(1.0)
        assert found.shares == {zone: found.zones.count(zone) / len(ranks) for zone in Zone}


@given(before=ranks, after=ranks, window=windows)
@EXAMPLES
def test_the_shift_is_the_difference_of_the_shares_of_the_shared_queries(
    before: dict[str, int], after: dict[str, int], window: int
):
    """Queries that only one run has move nothing, the others count once, and what leaves a zone enters another."""
    shared = before.keys() & after.keys()
    earlier = headroom({query_id: before[query_id] for query_id in shared}, window).shares
    later = headroom({query_id: after[query_id] for query_id in shared}, window).shares
    found = shift(headroom(before, window), headroom(after, window))
    assert found.n_queries == sum(found.moved.values()) == len(shared)
    if shared:
        assert found.differences == pytest.approx({zone: later[zone] - earlier[zone] for zone in Zone})


def test_without_queries_nothing_is_said():
    """Shares and differences of no queries are unknown, not zero."""
    none = headroom({}, 5)
    assert all(map(math.isnan, none.shares.values()))
    assert all(map(math.isnan, shift(none, headroom({"q1": 1}, 5)).differences.values()))


def test_each_query_is_seen_from_its_own_window():
    """The answerer may have read more for one query than for another; an unknown window leaves the query out."""
    found = headroom({"q1": 4, "q2": 4, "q3": 4}, {"q1": 5, "q2": 3, "other": 9})
    assert dict(zip(found.query_ids, found.zones, strict=True)) == {"q1": Zone.INSIDE, "q2": Zone.OUTSIDE}


@pytest.mark.parametrize(("rank", "window"), [(1, 0), (1, -3), (-1, 5)])
def test_an_impossible_rank_or_window_is_refused(rank: int, window: int):
    """The error names the query."""
    with pytest.raises(ComparisonError, match="query q1"):
        headroom({"q1": rank}, window)


def test_the_last_rank_is_that_of_all_needed_documents():
    """A query needs every relevant document, none of grade 0, and is left out without a judgement or a ranking."""
    suite = a_suite(
        a_query("both", {"a": 1, "c": 2, "b": 0}),
        a_query("one is missing", {"a": 1, "x": 1}),
        a_query("unjudged", {"a": 0}),
        a_query("failed", {"a": 1}),
    )
    ranking = Ranking(doc_ids=("a", "b", "c"))
    rankings = dict.fromkeys(("both", "one is missing", "unjudged"), ranking)
    assert last_ranks(suite, rankings) == {"both": 3, "one is missing": 0}


def test_cutting_the_text_otherwise_changes_no_last_rank():
    """A judged passage lies at the same rank whether it came in one chunk or in two that join up."""
    suite = a_suite(
        Query(
            query_id="q1", text="", stratum="", cluster="", passages=(Passage(1, "d", 90, 130), Passage(1, "x", 0, 40))
        )
    )
    halves = Ranking(doc_ids=("x", "d-1", "d-2"), sources=Sources(("x", "d", "d"), (0, 0, 100), (50, 100, 200)))
    whole = Ranking(doc_ids=("x", "d-1"), sources=Sources(("x", "d"), (0, 0), (50, 200)))
    lost = Ranking(doc_ids=("x",), sources=Sources(("x",), (0,), (50,)))
    assert [last_ranks(suite, {"q1": each}) for each in (halves, whole, lost)] == [{"q1": 2}, {"q1": 2}, {"q1": 0}]
