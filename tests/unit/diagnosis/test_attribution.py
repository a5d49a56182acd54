"""Shares of an answer drop add up, name the planted component and note what is not identified."""

import math
from dataclasses import FrozenInstanceError
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.diagnosis.attribution import Anchors, Attribution, Component, Share, ceiling, kitagawa
from monitor.diagnosis.share_intervals import Part, estimate, paired_scores
from monitor.errors import ComparisonError
from monitor.statistics.significance import interval
from tests.properties import examples

EXAMPLES = examples(60)
"""Nothing is timed here, and a busy machine must not fail a test."""
RETRIEVAL, GENERATION, JUDGE = Component
OLD, NEW_CONTEXTS, NEW_GENERATOR = frozenset(), frozenset({RETRIEVAL}), frozenset({GENERATION})
NEW = NEW_CONTEXTS | NEW_GENERATOR
EVERY_CELL = [frozenset(each) for size in range(4) for each in combinations(Component, size)]

score = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1, width=16))


@st.composite
def two_runs(draw):
    """Scores before and after, evidence found before and after, and clusters; any cell may be empty."""
    count = draw(st.integers(1, 14))
    scores = st.lists(score, min_size=count, max_size=count)
    flags = st.one_of(
        st.just([True] * count), st.just([False] * count), st.lists(st.booleans(), min_size=count, max_size=count)
    )
    clusters = st.lists(st.integers(0, 4), min_size=count, max_size=count)
    return tuple(np.array(draw(each)) for each in (scores, scores, flags, flags, clusters))


def by_name(attribution: Attribution) -> dict[Component, Share]:
    """The shares by the component they are of."""
    return {each.name: each for each in attribution.shares}


def numbers(attribution: Attribution) -> list[float]:
    """The whole and all shares with their intervals."""
    return [value for each in (attribution, *attribution.shares) for value in (each.difference, each.lower, each.upper)]


def assert_sound(attribution: Attribution) -> None:
    """Shares add up, nothing is NaN, and each difference lies within its interval."""
    assert sum(each.difference for each in attribution.shares) == pytest.approx(attribution.difference, abs=1e-12)
    assert not any(map(math.isnan, numbers(attribution)))
    for each in (attribution, *attribution.shares):
        assert each.lower <= each.difference <= each.upper


def planted(*, lost: int = 0, misread: int = 0) -> tuple[np.ndarray, ...]:
    """A hundred queries, ninety found and read well; so many lose their evidence, so many more are misread."""
    found_before = np.arange(100) < 90
    found_after = found_before & (np.arange(100) >= lost)
    read = ~((np.arange(100) >= lost) & (np.arange(100) < lost + misread))
    return found_before * 1.0, found_after * read * 1.0, found_before, found_after, np.arange(100)


class TestObserved:
    """Kitagawa's decomposition of two runs."""

    @EXAMPLES
    @given(two_runs())
    def test_shares_add_up_and_are_never_nan(self, runs):
        """Whatever was found: the shares are the whole to 1e-12, and each has an interval around it."""
        assert_sound(kitagawa(*runs))

    @EXAMPLES
    @given(two_runs())
    def test_exchanging_the_runs_exchanges_the_signs(self, runs):
        """Exchanging the runs exchanges the signs of all shares."""
        before, after, found_before, found_after, cluster = runs
        one, other = kitagawa(*runs), kitagawa(after, before, found_after, found_before, cluster)
        for each, mirrored in zip((one, *one.shares), (other, *other.shares), strict=True):
            expected = (-each.difference, -each.upper, -each.lower)
            assert (mirrored.difference, mirrored.lower, mirrored.upper) == pytest.approx(expected, abs=1e-9)

    @EXAMPLES
    @given(two_runs(), st.randoms(use_true_random=False))
    def test_neither_order_nor_the_numbers_of_clusters_matter(self, runs, random):
        """Shuffled queries and renamed clusters give the same numbers."""
        order = list(range(len(runs[0])))
        random.shuffle(order)
        *values, cluster = (each[order] for each in runs)
        assert numbers(kitagawa(*values, 1_000 - 7 * cluster)) == pytest.approx(numbers(kitagawa(*runs)), abs=1e-9)

    @EXAMPLES
    @given(two_runs())
    def test_what_is_found_alike_is_not_retrievals_fault(self, runs):
        """Where retrieval found the same, its share is exactly nothing, with no doubt about it."""
        before, after, found, _, cluster = runs
        retrieval = by_name(kitagawa(before, after, found, found, cluster))[RETRIEVAL]
        assert (retrieval.difference, retrieval.lower, retrieval.upper) == (0.0, 0.0, 0.0)

    def test_the_shares_are_those_of_the_formula(self):
        """Worked out by hand: p falls from 0.6 to 0.4, u from 2/3 to 1/2, w from 1/2 to 1/3."""
        found_before, found_after = np.array([1, 1, 1, 0, 0]), np.array([1, 1, 0, 0, 0])
        found = by_name(kitagawa([1, 1, 0, 1, 0], [1, 0, 0, 0, 1], found_before, found_after, range(5)))
        assert found[RETRIEVAL].difference == pytest.approx(-0.2 * (7 / 12 - 5 / 12))
        assert found[GENERATION].difference == pytest.approx(-1 / 6 * 0.5 - 1 / 6 * 0.5)

    @pytest.mark.parametrize(
        ("lost", "misread", "causes"),
        [(30, 0, {RETRIEVAL}), (0, 30, {GENERATION}), (25, 25, {RETRIEVAL, GENERATION})],
    )
    def test_the_component_that_failed_is_the_cause(self, lost, misread, causes):
        """Evidence lost, answers misread, or both: who failed excludes zero, who did not covers it."""
        blame = kitagawa(*planted(lost=lost, misread=misread))
        assert {each.name for each in blame.shares if each.excludes_zero} == causes
        assert blame.difference == pytest.approx(-(lost + misread) / 100)

    def test_clusters_are_the_units(self):
        """Ten clusters of ten correlated queries give wider intervals than a hundred queries."""
        before, after, found_before, found_after, cluster = planted(lost=30)
        alone = by_name(kitagawa(before, after, found_before, found_after, cluster))[RETRIEVAL]
        together = by_name(kitagawa(before, after, found_before, found_after, cluster // 10))[RETRIEVAL]
        assert together.upper - together.lower > 2 * (alone.upper - alone.lower)

    def test_nothing_changed(self):
        """The same results twice: a point at zero, and no cause."""
        blame = kitagawa(*(each for each in (*[planted()[0]] * 2, *[planted()[2]] * 2, np.arange(100))))
        assert set(numbers(blame)) == {0.0}
        assert blame.sentence.startswith("answers are as good as before; the parts of retrieval (+0.0) and")

    def test_the_weakness_that_is_stated(self):
        """If it is the queries that are answered worse that lose their evidence, generation seems to have improved."""
        score_if_found = np.where(np.arange(100) < 50, 0.5, 1.0)
        found_after = np.arange(100) >= 25
        after = np.where(found_after, score_if_found, 0.0)
        blame = by_name(kitagawa(score_if_found, after, np.ones(100), found_after, range(100)))
        assert blame[GENERATION].difference > 0


class TestEmptyCells:
    """Unidentified effects are noted and widen the intervals."""

    def test_a_new_run_that_finds_nothing(self):
        """If no evidence is retrieved now, its use is assumed to be as before, which the note states."""
        found = np.arange(60) < 50
        blame = kitagawa(found * 1.0, np.zeros(60), found, np.zeros(60), range(60))
        shares = by_name(blame)
        assert shares[RETRIEVAL].difference == pytest.approx(-50 / 60)
        assert shares[RETRIEVAL].excludes_zero
        assert shares[RETRIEVAL].lower < -50 / 60
        assert shares[RETRIEVAL].upper > -50 / 60 / 2
        assert shares[GENERATION].lower < -50 / 60 / 2
        assert blame.note == (
            "now the evidence of no query was retrieved: the score with it is unknown, is assumed to equal the one "
            "before, and the intervals allow any score from 0 to 1"
        )

    def test_an_old_run_that_found_everything(self):
        """What answers were worth without evidence is not known before."""
        blame = kitagawa(np.ones(60), [0.0] * 20 + [1.0] * 40, np.ones(60), np.arange(60) >= 20, range(60))
        assert blame.note.startswith("before the evidence of every query was retrieved: the score without it")
        assert by_name(blame)[RETRIEVAL].difference == pytest.approx(-1 / 3)

    @pytest.mark.parametrize(("found", "extent"), [(True, "every"), (False, "no")])
    def test_all_or_nothing_found_in_both_runs(self, found, extent):
        """The whole change is generation's."""
        blame = kitagawa([1.0] * 30, [0.0] * 10 + [1.0] * 20, [found] * 30, [found] * 30, range(30))
        assert f"the evidence of {extent} query was retrieved in both runs, so retrieval has no part" in blame.note
        assert by_name(blame)[GENERATION].difference == blame.difference

    def test_a_handful_of_queries_is_not_taken_for_known(self):
        """Two found queries that happen to be answered alike leave generation's share open."""
        found = np.arange(60) < 50
        few = np.arange(60) < 2
        shares = by_name(kitagawa(found * 1.0, few * 1.0, found, few, range(60)))
        assert shares[GENERATION].difference == 0
        assert shares[GENERATION].upper > 0.3

    def test_a_single_cluster_tells_nothing(self):
        """Intervals are infinite, so no component is called the cause."""
        before, after, found_before, found_after, _ = planted(lost=30)
        blame = kitagawa(before, after, found_before, found_after, np.zeros(100))
        assert [each.lower for each in blame.shares] == [-math.inf] * 2
        assert "cannot be distinguished from zero: " not in blame.sentence
        assert blame.sentence.endswith(
            "the parts of retrieval (−30.0) and generation (+0.0) cannot be distinguished from zero"
        )


@pytest.mark.parametrize(("sizes", "ratio"), [([1] * 12, 1.0), ([5] * 12, 1.0), ([49] + [1] * 11, 12.71 / 2.20)])
def test_a_cluster_that_decides_leaves_few_degrees_of_freedom(sizes, ratio):
    """Of equal clusters an interval is that of the verdict; one that holds nearly all queries is the only witness."""
    cluster = np.repeat(np.arange(12), sizes)
    luck = np.random.default_rng(3).random(12)[cluster]
    paired = paired_scores(np.zeros(len(cluster)), luck, cluster)
    _, lower, upper = estimate(paired, Part(values=luck), confidence=0.95)
    usual = interval(paired)
    assert (upper - lower) / (usual[1] - usual[0]) == pytest.approx(ratio, rel=0.02)


class TestJudge:
    """A drift of the judge is measured on frozen answers."""

    def test_a_stricter_judge_is_not_taken_for_worse_generation(self):
        """Frozen answers lost as much as the live ones: the judge has it all."""
        stricter = Anchors([0.9] * 30 + [0.8] * 30, [0.7] * 30 + [0.6] * 30)
        cells = np.array([0.9, 0.8] * 20)
        blame = kitagawa(cells, cells - 0.2, [True] * 40, [True] * 40, range(40), anchors=stricter)
        assert_sound(blame)
        assert by_name(blame)[JUDGE].difference == pytest.approx(-0.2)
        assert by_name(blame)[GENERATION].difference == pytest.approx(0.0)
        assert "the shift of the judge is assumed to be equal on all answers" in blame.note

    @EXAMPLES
    @given(two_runs(), st.lists(st.tuples(score, score), min_size=1, max_size=8))
    def test_the_judges_share_comes_out_of_generations(self, runs, anchors):
        """Retrieval keeps its share, the whole stays the whole, and generation's interval knows the anchors' noise."""
        without, blame = kitagawa(*runs), kitagawa(*runs, anchors=Anchors(*zip(*anchors, strict=True)))
        assert_sound(blame)
        assert by_name(blame)[RETRIEVAL] == by_name(without)[RETRIEVAL]
        assert blame.difference == without.difference
        moved = by_name(blame)[JUDGE].difference
        expected = by_name(without)[GENERATION].difference - moved
        assert by_name(blame)[GENERATION].difference == pytest.approx(expected, abs=1e-12)

    def test_it_is_counted_once(self):
        """Anchors without a grade in both runs are refused."""
        with pytest.raises(ComparisonError, match="no anchor was scored in both runs"):
            kitagawa([1.0], [1.0], [True], [True], [0], anchors=Anchors([], []))


class TestCeiling:
    """The ceiling with oracle contexts."""

    def test_what_retrieval_leaves_on_the_table(self):
        """Of 80 points that the generator can reach, it had 70 with the old contexts and has 50 with the new."""
        at = np.arange(100)
        best = ceiling(at < 80, at < 70, at < 50, at)
        assert best.mean == pytest.approx(0.8)
        assert best.lower < 0.8 < best.upper
        assert best.left_before.difference == pytest.approx(-0.1)
        assert best.left_after.difference == pytest.approx(-0.3)
        assert best.left_after.excludes_zero


class TestRefusals:
    """Bad input is named, not reckoned with."""

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"before": [1.0]}, r"the shape is \(1,\); one value is required for each of 2 queries"),
            ({"after": [math.nan, 1.0]}, "a score is missing"),
            ({"after": [3.0, 1.0]}, r"outside \[0, 1\]"),
            ({"found_before": [0.5, 1.0]}, "must be true or false"),
            ({"found_after": [True]}, "one value is required"),
        ],
    )
    def test_a_missing_score_is_no_zero(self, changed, message):
        """Arrays of another shape or range are refused with the reason."""
        arrays = {"before": [1.0, 0.0], "after": [0.0, 0.0], "found_before": [True] * 2, "found_after": [False] * 2}
        with pytest.raises(ValueError, match=message):
            kitagawa(**(arrays | changed), cluster=[0, 1])

    def test_no_query(self):
        """Two runs that share no scored query cannot be compared."""
        with pytest.raises(ComparisonError, match="no query was scored in both runs"):
            kitagawa([], [], [], [], [])

    def test_results_do_not_change(self):
        """Shares are frozen."""
        share = Share(RETRIEVAL, -0.1, -0.2, 0.0)
        with pytest.raises(FrozenInstanceError):
            share.difference = 0.0


def told(whole: tuple[float, float, float], *shares: tuple[float, float, float], method: str = "kitagawa/1") -> str:
    """The sentence on these numbers; shares are of retrieval, generation and judge, in this order."""
    parts = tuple(Share(name, *share) for name, share in zip(Component, shares, strict=False))
    difference, lower, upper = whole
    return Attribution(
        method=method, difference=difference, lower=lower, upper=upper, shares=parts, n_queries=100, n_clusters=100
    ).sentence


class TestSentence:
    """The sentence in the alert."""

    def test_two_causes(self):
        """Points, shares of the whole, and why."""
        assert told((-0.061, -0.08, -0.04), (-0.05, -0.07, -0.03), (-0.011, -0.02, -0.002)) == (
            "answers fell 6.1 points: 5.0 (82 %) because retrieval found the evidence less often, "
            "1.1 (18 %) because generation used it less well"
        )

    def test_a_share_that_covers_zero_is_no_cause(self):
        """It is described as not distinguishable from zero."""
        assert told((-0.061, -0.08, -0.04), (-0.05, -0.07, -0.03), (-0.011, -0.03, 0.01)) == (
            "answers fell 6.1 points: 5.0 (82 %) because retrieval found the evidence less often; "
            "the part of generation (−1.1) cannot be distinguished from zero"
        )

    def test_an_interval_that_ends_at_zero_covers_it(self):
        """Zero is not excluded by touching it."""
        assert not Share(RETRIEVAL, -0.1, -0.2, 0.0).excludes_zero

    def test_opposite_shares(self):
        """Shares of opposite sign have no percentages, which would exceed 100."""
        assert told((-0.03, -0.05, -0.01), (-0.05, -0.07, -0.03), (0.02, 0.01, 0.03)) == (
            "answers fell 3.0 points: 5.0 because retrieval found the evidence less often, "
            "2.0 gained because generation used it better"
        )

    def test_shares_that_cancel_out(self):
        """Answers as good as before may hide two changes."""
        assert told((0.0, -0.01, 0.01), (0.02, 0.01, 0.03), (-0.02, -0.03, -0.01)) == (
            "answers are as good as before: 2.0 gained because retrieval found the evidence more often, "
            "2.0 lost because generation used it less well"
        )

    def test_a_rise(self):
        """Better answers have causes too."""
        assert told((0.04, 0.01, 0.07), (0.0, 0.0, 0.0), (0.04, 0.01, 0.07)) == (
            "answers rose 4.0 points: 4.0 (100 %) because generation used the evidence better; "
            "the part of retrieval (+0.0) cannot be distinguished from zero"
        )

    def test_a_drop_that_may_be_none(self):
        """The whole is doubted as well."""
        assert told((-0.01, -0.03, 0.01), (-0.01, -0.03, 0.01), (0.0, -0.01, 0.01)) == (
            "answers fell 1.0 points, which cannot be distinguished from zero; "
            "the parts of retrieval (−1.0) and generation (+0.0) cannot be distinguished from zero"
        )

    def test_a_replay_speaks_of_contexts_and_the_judge_of_its_grades(self):
        """A replay names contexts, and a drift of the judge names its grades."""
        assert told((-0.06, -0.08, -0.04), *[(-0.02, -0.03, -0.01)] * 3, method="path/1") == (
            "answers fell 6.0 points: 2.0 (33 %) because retrieval brought worse contexts, 2.0 (33 %) because "
            "generation made less of the same contexts, 2.0 (33 %) because the judge grades the same answers lower"
        )
