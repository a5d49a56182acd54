"""P-values are those of every flip; intervals, margins and standard errors are as worked out by hand."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from monitor.decision.comparison import compare, pair_all
from monitor.model.measurements import Floats, Measured
from monitor.model.policies import Policy
from monitor.model.suites import Axis, Suite
from monitor.model.verdicts import Evidence
from monitor.statistics.exact_p_values import sign_flip_p
from monitor.statistics.non_inferiority import relative_non_inferiority
from monitor.statistics.pairing import Paired
from monitor.statistics.power import detectable_drop
from monitor.statistics.significance import (
    cluster_sums,
    holm,
    interval,
    sign_flips,
    standard_error,
    step_down,
)
from tests.builders import a_measured, a_query, a_suite
from tests.properties import examples

RESAMPLES = 19_999
EXAMPLES = examples(60)
"""Nothing is timed here, and a busy machine must not fail a test."""

whole = st.integers(-6, 6)
changed = st.integers(-6, 6).filter(bool)
shares = st.sampled_from([each / 10 for each in range(11)])


def a_paired(
    differences: Sequence[float],
    *,
    clusters: Sequence[str] = (),
    baseline: Sequence[float] = (),
    suite: str = "broad",
    stratum: str = "overall",
) -> Paired:
    """Queries with these differences; unless told otherwise each is a cluster of its own and was perfect before."""
    before = np.array(baseline or [1.0] * len(differences))
    names = clusters or [f"{number:03}" for number in range(len(differences))]
    unique, cluster = np.unique(names, return_inverse=True)
    after = before + np.array(differences, dtype=float)
    return Paired(
        suite=suite,
        axis=Axis.BROAD,
        stratum=stratum,
        measure="recall@10",
        gating=True,
        baseline=before,
        candidate=after,
        cluster=cluster,
        cluster_names=tuple(unique.tolist()),
    )


def p_not_safe(paired: Paired, margin: float = 0.05) -> float:
    """p-value that the margin was lost, of as few as two clusters."""
    result = relative_non_inferiority(paired, margin=margin, min_clusters=2)
    assert result is not None
    return result.p_value


def p_values(sums: Floats, *, resamples: int = RESAMPLES, seed: int = 1) -> tuple[Floats, Floats]:
    """Raw and adjusted p-values that the totals are above zero, by sampling."""
    return step_down(*sign_flips(np.asarray(sums, float), resamples=resamples, rng=np.random.default_rng(seed)))


def every_flip(count: int) -> Floats:
    """All patterns of signs, shape (2**count, count)."""
    return np.array(list(itertools.product((1.0, -1.0), repeat=count)))


def p_of_every_flip(sums: Floats) -> Floats:
    """For each column the share of all sign patterns that reach what was observed."""
    return (every_flip(len(sums)) @ sums >= sums.sum(axis=0) - 1e-9).mean(axis=0)


def adjusted_of_every_flip(sums: Floats) -> Floats:
    """Step-down max-T as Westfall and Young write it, over all sign patterns."""
    norms = np.sqrt((sums**2).sum(axis=0))
    null, observed = every_flip(len(sums)) @ sums / norms, sums.sum(axis=0) / norms
    adjusted, so_far, left = np.ones(len(observed)), 0.0, list(np.argsort(-observed))
    while left:
        so_far = max(so_far, float((null[:, left].max(axis=1) >= observed[left[0]] - 1e-9).mean()))
        adjusted[left.pop(0)] = so_far
    return adjusted


def within_sampling_error(found: Floats, exact: Floats, resamples: int = RESAMPLES) -> bool:
    """Whether sampled p-values are no further from the exact ones than five standard errors."""
    spread = np.sqrt(exact * (1 - exact) / resamples)
    return bool((np.abs(found - exact) <= 5 * spread + 2 / resamples).all())


# Three hypotheses that share eleven clusters: many ties, fractions, and one that hardly moved.
FAMILY = np.array(
    [
        [2, 1, -1, 1, 0, 3, 1, 1, 1, 0, 1],
        [1.25, 0.5, 0.25, -0.5, 0.75, 0.125, -0.25, 0.5, 1, 0.25, 0],
        [-1, 1, 1, 1, -2, 0, -1, 1, 0, 2, -1],
    ]
).T


class TestSignFlips:
    """The p-value of one hypothesis."""

    def test_p_values_are_those_of_every_flip(self):
        """Sampling flips comes to what looking at all 2,048 of them gives, ties included."""
        raw, _ = p_values(FAMILY)
        assert within_sampling_error(raw, p_of_every_flip(FAMILY))

    def test_p_values_are_those_of_scipy(self):
        """`scipy.stats.permutation_test` on the studentised sum, with all sign patterns, gives the same."""
        sums = np.random.default_rng(7).normal(0.3, 1.0, 13)

        def studentised(sample: Floats, axis: int) -> Floats:
            return np.asarray(sample.sum(axis=axis) / np.sqrt((sample**2).sum(axis=axis)))

        scipys = stats.permutation_test(
            (sums,), studentised, permutation_type="samples", alternative="greater", n_resamples=2**14, vectorized=True
        ).pvalue
        raw, _ = p_values(sums[:, None])
        assert within_sampling_error(raw, np.array([scipys]))
        assert sign_flip_p(sums) == pytest.approx(scipys, abs=0.002)

    @pytest.mark.parametrize("clusters", [8, 60, 500])
    def test_a_p_value_is_never_zero(self, clusters: int):
        """The observed pattern is one of those that were possible, however extreme it is."""
        raw, adjusted = p_values(np.ones((clusters, 2)), resamples=999)
        assert min(raw.min(), adjusted.min()) >= 0.001

    def test_a_larger_drop_has_no_larger_p_value(self):
        """Every sum a little higher: the p-value falls or stays."""
        sums = np.array([3.0, -1, 2, -2, 1, 1, -1, 4, -3, 2, 1, -1])
        found = [p_values((sums + lift)[:, None])[0][0] for lift in (0.0, 0.25, 0.5, 1.5, 3.5, 9.0)]
        assert found == sorted(found, reverse=True)
        assert found[0] > 10 * found[-1]

    def test_both_tails_come_from_the_same_flips(self):
        """“Worse” is “better” of the negated sums."""
        observed, null = sign_flips(FAMILY, resamples=999, rng=np.random.default_rng(3))
        mirrored, mirrored_null = sign_flips(-FAMILY, resamples=999, rng=np.random.default_rng(3))
        assert np.allclose(mirrored, -observed)
        assert np.allclose(mirrored_null, -null)

    def test_the_unit_of_the_measure_does_not_matter(self):
        """Percent instead of shares: the same p-values."""
        for one, other in zip(p_values(FAMILY), p_values(100 * FAMILY), strict=True):
            assert one.tolist() == other.tolist()

    def test_clusters_without_a_change_say_nothing(self):
        """A thousand queries that stayed the same neither help nor harm."""
        padded = np.vstack([FAMILY, np.zeros((1000, 3))])
        for one, other in zip(p_values(FAMILY), p_values(padded), strict=True):
            assert one.tolist() == other.tolist()

    def test_the_same_seed_gives_the_same_p_values_and_another_seed_others(self):
        """A verdict can be computed again, to the last digit."""
        assert p_values(FAMILY, seed=4)[1].tolist() == p_values(FAMILY, seed=4)[1].tolist()
        assert p_values(FAMILY, seed=4)[1].tolist() != p_values(FAMILY, seed=5)[1].tolist()

    def test_under_the_null_small_p_values_are_no_more_frequent_than_they_may_be(self):
        """Of all 512 outcomes that chance could have brought, no more than a share u has p ≤ u."""
        sizes = np.array([1.0, 1, 1, 2, 2, 3, 0.5, 0.25, 4])
        outcomes = every_flip(len(sizes)) * sizes
        found = np.array([p_values(each[:, None], resamples=999, seed=at)[0][0] for at, each in enumerate(outcomes)])
        for level in (0.01, 0.05, 0.1, 0.3, 0.5):
            assert (found <= level).mean() <= level + 3 * math.sqrt(level * (1 - level) / len(found))
        assert (found <= 0.1).mean() > 0.05  # nor are they so rare that the test could find nothing


class TestFamily:
    """p-values adjusted over several hypotheses."""

    def test_adjusted_p_values_are_those_of_every_flip(self):
        """Sampled step-down max-T comes to what Westfall and Young's algorithm gives over all sign patterns."""
        _, adjusted = p_values(FAMILY)
        assert within_sampling_error(adjusted, adjusted_of_every_flip(FAMILY))

    @EXAMPLES
    @given(st.lists(st.tuples(whole, whole, whole), min_size=3, max_size=8), st.integers(0, 99))
    def test_an_adjusted_p_value_is_never_below_the_raw_one(self, rows: list[tuple[int, int, int]], seed: int):
        """Looking at more can make nothing surer."""
        raw, adjusted = p_values(np.array(rows), resamples=199, seed=seed)
        assert (adjusted >= raw).all()
        assert (adjusted <= 1).all()

    @EXAMPLES
    @given(st.lists(whole, min_size=1, max_size=12), st.integers(0, 99))
    def test_a_family_of_one_needs_no_adjustment(self, sums: list[int], seed: int):
        """The only hypothesis keeps its p-value."""
        raw, adjusted = p_values(np.array(sums)[:, None], resamples=199, seed=seed)
        assert raw.tolist() == adjusted.tolist()

    def test_a_hypothesis_that_is_there_twice_costs_nothing(self):
        """The correlation is used: of two that always fall together only one is counted."""
        twice = FAMILY[:, [0, 0]]
        raw, adjusted = p_values(twice)
        assert adjusted.tolist() == raw.tolist()

    def test_hypotheses_without_a_common_cluster_are_adjusted_as_independent_ones(self):
        """The smallest of two independent p-values is adjusted to 1 − (1 − p)²."""
        apart = np.zeros((18, 2))
        apart[:9, 0] = apart[9:, 1] = [1, 1, 1, 1, 1, 1, 1, -1, -1]
        p = stats.binom.sf(6, 9, 0.5)
        raw, adjusted = p_values(apart)
        assert within_sampling_error(raw, np.array([p, p]))
        assert within_sampling_error(adjusted, np.full(2, 1 - (1 - p) ** 2))

    def test_adjusted_p_values_keep_the_order_of_the_evidence(self):
        """What is less extreme is never adjusted to less."""
        observed, null = sign_flips(FAMILY, resamples=999, rng=np.random.default_rng(1))
        _, adjusted = step_down(observed, null)
        assert adjusted[np.argsort(-observed)].tolist() == sorted(adjusted)

    @pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (1, 2, 0)])
    def test_the_order_of_the_hypotheses_does_not_matter(self, order: tuple[int, ...]):
        """With the same flips each hypothesis has the same p-values, wherever it stands."""
        straight, shuffled = p_values(FAMILY), p_values(FAMILY[:, order])
        for one, other in zip(straight, shuffled, strict=True):
            assert one[list(order)].tolist() == other.tolist()

    def test_the_order_of_the_clusters_does_not_matter(self):
        """Other flips, and no other p-value than chance allows."""
        _, adjusted = p_values(FAMILY[::-1])
        assert within_sampling_error(adjusted, adjusted_of_every_flip(FAMILY))

    def test_a_hypothesis_in_which_nothing_changed_has_p_one_and_costs_nothing(self):
        """It cannot be false, and so the others need not pay for it."""
        raw, adjusted = p_values(np.column_stack([FAMILY[:, 0], np.zeros(len(FAMILY))]))
        alone, _ = p_values(FAMILY[:, :1])
        assert (raw[1], adjusted[1]) == (1, 1)
        assert raw[0] == adjusted[0] == alone[0]

    def test_a_family_in_which_nothing_changed_has_p_one_throughout(self):
        """No clusters with a change at all."""
        assert [each.tolist() for each in p_values(np.zeros((20, 3)))] == [[1, 1, 1], [1, 1, 1]]

    def test_holm_is_as_in_the_textbook(self):
        """0.01 of three, then 0.02 of two, then the last, and never less than the one before; at most 1."""
        assert holm(np.array([0.3, 0.01, 0.02])).tolist() == pytest.approx([0.3, 0.03, 0.04])
        assert holm(np.array([0.02, 0.021, 0.9])).tolist() == pytest.approx([0.06, 0.06, 0.9])
        assert holm(np.array([0.6, 0.7])).tolist() == [1, 1]

    def test_max_t_is_never_above_holm(self):
        """Knowing the correlation, the same error is held at less cost."""
        assert (adjusted_of_every_flip(FAMILY) <= holm(p_of_every_flip(FAMILY)) + 1e-12).all()
        _, adjusted = p_values(FAMILY)
        assert (adjusted <= holm(p_of_every_flip(FAMILY)) + 0.02).all()


class TestClusterSums:
    """The table that is flipped."""

    def test_a_cluster_is_one_row_in_all_hypotheses(self):
        """The whole and its part are flipped together where they share a cluster."""
        whole_suite = a_paired([-1, 0.5, 0.25], clusters=["a", "b", "a"])
        part = a_paired([-1, 0.25], clusters=["a", "a"], stratum="law")
        assert cluster_sums([whole_suite, part]).tolist() == [[-0.75, -0.75], [0.5, 0]]

    def test_clusters_of_equal_name_in_two_suites_are_two(self):
        """Suites are independent evidence."""
        one, other = a_paired([-1, 1], suite="broad"), a_paired([0.5, 0.25], suite="other")
        assert cluster_sums([one, other]).tolist() == [[-1, 0], [1, 0], [0, 0.5], [0, 0.25]]


# Three shapes of cluster, seven of each: −0.8 over two queries, +0.1 over one, −0.5 over three.
SHAPES = {"a": [-0.5, -0.3], "b": [0.1], "c": [-0.2, -0.2, -0.1]}
BY_HAND = a_paired(
    [each for _ in range(7) for values in SHAPES.values() for each in values],
    clusters=[f"{name}{copy}" for copy in range(7) for name, values in SHAPES.items() for _ in values],
)


class TestInterval:
    """How large the difference may be."""

    def test_it_is_the_cluster_t_interval_worked_out_by_hand(self):
        """Mean −0.2; residuals −0.4, 0.3, 0.1, seven times; √(21/20 · 7 · 0.26)/42; t of 20 degrees 2.085963."""
        error = math.sqrt(21 / 20 * 7 * 0.26) / 42
        assert standard_error(BY_HAND) == pytest.approx(error)
        assert interval(BY_HAND) == pytest.approx((-0.2 - 2.0859634 * error, -0.2 + 2.0859634 * error))

    def test_its_standard_error_is_the_clustered_one_of_a_regression_on_a_constant(self):
        """(X′X)⁻¹ · Σ X_g′e_g e_g′X_g · (X′X)⁻¹ · G/(G−1), the sandwich of Liang and Zeger."""
        rng = np.random.default_rng(5)
        names = [f"{each:02}" for each in rng.integers(0, 25, 90)]
        paired = a_paired(rng.normal(size=90).tolist(), clusters=names)
        design = np.ones((90, 1))
        residuals = paired.differences - paired.differences.mean()
        scores = np.array([design[paired.cluster == g].T @ residuals[paired.cluster == g] for g in range(25)])
        bread = np.linalg.inv(design.T @ design)
        sandwich = bread @ (scores.T @ scores) @ bread * 25 / 24
        assert standard_error(paired) == pytest.approx(math.sqrt(float(sandwich[0, 0])))

    @pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
    def test_of_queries_that_are_their_own_clusters_it_is_the_paired_t_interval(self, confidence: float):
        """As `scipy.stats.ttest_rel` gives it."""
        rng = np.random.default_rng(8)
        paired = a_paired(rng.normal(-0.1, 0.3, 40).tolist(), baseline=rng.random(40).tolist())
        scipys = stats.ttest_rel(paired.candidate, paired.baseline).confidence_interval(confidence)
        assert interval(paired, confidence=confidence) == pytest.approx((scipys.low, scipys.high))

    @pytest.mark.parametrize("copies", [2, 5])
    def test_asking_each_query_again_makes_it_no_narrower(self, copies: int):
        """Copies within a cluster are no evidence; counted as clusters of their own they would seem to be."""
        values = np.random.default_rng(9).normal(size=30).round(3).tolist()
        names = [f"{number:02}" for number in range(30)]
        copied = a_paired(values * copies, clusters=names * copies)
        assert interval(copied) == pytest.approx(interval(a_paired(values)))
        assert standard_error(a_paired(values * copies)) < 0.8 * standard_error(copied)

    def test_of_one_cluster_it_is_infinite(self):
        """One unit of evidence says nothing about how far another would be."""
        assert interval(a_paired([-0.5, 0.25], clusters=["a", "a"])) == (-math.inf, math.inf)

    def test_of_one_cluster_the_standard_error_is_unknown(self):
        """One unit of evidence says nothing about how far another would be."""
        assert math.isnan(standard_error(a_paired([-1, 0.5], clusters=["a", "a"])))

    @pytest.mark.parametrize("clusters", [2, 12, 50])
    def test_where_nothing_changed_it_has_no_width(self, clusters: int):
        """No difference, no standard error."""
        paired = a_paired([0.0] * clusters)
        assert interval(paired) == (0, 0)
        assert standard_error(paired) == 0


class TestNonInferiority:
    """Safe is shown, not assumed."""

    def test_it_is_the_t_test_with_one_more_query_that_was_lost_altogether(self):
        """39 queries kept, one lost, and the pseudo-query lost as well: worked out with scipy on the 41 values."""
        paired = a_paired([0.0] * 39 + [-1.0])
        by_hand = stats.ttest_1samp([0.05] * 39 + [-0.95, -0.95], 0, alternative="greater").pvalue
        assert p_not_safe(paired) == pytest.approx(by_hand)

    def test_clusters_are_its_units(self):
        """Sums of 0.1, 0.05 and −0.9 in clusters of 2, 1 and 2, and a lost pseudo-cluster of √3, worked by hand."""
        paired = a_paired([0, 0, 0, 0, -1], clusters=["a", "a", "b", "c", "c"])
        size = math.sqrt((4 + 1 + 4) / 3)
        mean = (0.1 + 0.05 - 0.9 - 0.95 * size) / (5 + size)
        residuals = [0.1 - 2 * mean, 0.05 - mean, -0.9 - 2 * mean, size * (-0.95 - mean)]
        error = math.sqrt(4 / 3 * sum(each**2 for each in residuals)) / (5 + size)
        assert p_not_safe(paired) == pytest.approx(stats.t.sf(mean / error, 3))

    def test_fifty_queries_without_a_loss_do_not_show_that_none_is_lost(self):
        """One total loss in twenty may not have come up among so few; among 400 it would have."""
        assert p_not_safe(a_paired([0.0] * 30)) > 0.05
        assert p_not_safe(a_paired([0.0] * 400)) < 0.001

    @pytest.mark.parametrize("clusters", [20, 200, 2000])
    def test_a_loss_of_the_margin_is_never_shown_to_be_safe(self, clusters: int):
        """Every query exactly at the margin: the pseudo-cluster tips the balance."""
        assert p_not_safe(a_paired([-0.05] * clusters)) > 0.5

    def test_nothing_is_safe_where_nothing_was_found_before(self):
        """Of a baseline of zeros no share can be shown to be kept."""
        assert p_not_safe(a_paired([0.0] * 500, baseline=[0.0] * 500)) > 0.5

    def test_a_wider_margin_is_easier_to_keep(self):
        """The more may be lost, the smaller the p-value."""
        paired = a_paired([0.0] * 180 + [-1.0] * 4)
        found = [p_not_safe(paired, margin) for margin in (0.0, 0.02, 0.05, 0.1, 0.3)]
        assert found == sorted(found, reverse=True)
        assert found[0] > 0.5
        assert found[-1] < 0.001

    @EXAMPLES
    @given(st.lists(st.tuples(shares, shares), min_size=2, max_size=40))
    def test_of_queries_that_are_their_own_clusters_it_is_scipys_t_test(self, values: list[tuple[float, float]]):
        """One-sided, of candidate − 0.95·baseline with −0.95 appended."""
        before, after = map(np.array, zip(*values, strict=True))
        paired = a_paired((after - before).tolist(), baseline=before.tolist())
        sample = np.append(after - 0.95 * before, -0.95)
        if np.ptp(sample) > 1e-9:
            scipys = stats.ttest_1samp(sample, 0, alternative="greater").pvalue
            assert p_not_safe(paired) == pytest.approx(scipys)


class TestPower:
    """How small a drop could have been seen."""

    @pytest.mark.parametrize(("alpha", "power"), [(0.05, 0.8), (0.01, 0.8), (0.05, 0.5), (0.025, 0.9)])
    def test_a_drop_of_that_size_is_found_with_that_power(self, alpha: float, power: float):
        """A normal estimate with this mean and standard error exceeds the critical value as often as promised."""
        error = 0.017
        drop = detectable_drop(error, alpha=alpha, power=power)
        assert stats.norm.sf(stats.norm.isf(alpha) * error, loc=drop, scale=error) == pytest.approx(power)

    def test_where_nothing_changed_the_smallest_drop_would_have_been_seen(self):
        """No spread, no doubt."""
        assert detectable_drop(0.0, alpha=0.05) == 0


def found(suite: Suite, lists: str) -> Measured:
    """A run in which each query of the suite found its document (`+`) or did not (`-`)."""
    documents = {"+": ["d1"], "-": ["d2"]}
    ids = (query.query_id for query in suite.queries)
    return a_measured(suite, {query_id: documents[each] for query_id, each in zip(ids, lists, strict=True)})


def recall(evidence: Sequence[Evidence]) -> dict[str, Evidence]:
    """The evidence on recall@10 by stratum."""
    return {each.stratum: each for each in evidence if each.measure == "recall@10"}


FEW_AND_MANY = a_suite(
    *(a_query(f"few{number}", stratum="few") for number in range(11)),
    *(a_query(f"many{number:02}", stratum="many") for number in range(20)),
)
RECALL_ONLY = Policy(gating={Axis.BROAD: ("recall@10",)})


def compared(suite: Suite, before: str, after: str, policy: Policy = RECALL_ONLY, seed: int = 1) -> list[Evidence]:
    """Evidence on one suite."""
    return compare(
        pair_all([(found(suite, before), found(suite, after))], policy), policy, rng=np.random.default_rng(seed)
    )


class TestCompare:
    """From two runs to evidence."""

    def test_the_numbers_are_those_of_the_pairs(self):
        """Six of twenty were lost and one was gained: means, interval, p-values and power all say so."""
        suite = a_suite(*(a_query(f"q{number:02}") for number in range(20)))
        [each] = recall(compared(suite, "+" * 19 + "-", "-" * 6 + "+" * 14)).values()
        differences = [-1.0] * 6 + [0.0] * 13 + [1.0]
        assert (each.suite, each.axis, each.gating, each.n_queries, each.n_clusters) == ("broad", "broad", True, 20, 20)
        assert (each.baseline_mean, each.candidate_mean, each.difference) == pytest.approx((0.95, 0.7, -0.25))
        assert (each.lower, each.upper) == pytest.approx(interval(a_paired(differences)))
        assert each.p_worse == pytest.approx(8 / 128, abs=0.012)  # 6 or 7 of 7 changed queries lost
        assert each.p_better == pytest.approx(127 / 128, abs=0.012)
        assert each.mde == pytest.approx(detectable_drop(standard_error(a_paired(differences)), alpha=0.05))
        pairs = a_paired(differences, baseline=[1.0] * 19 + [0.0])
        assert each.p_not_safe == pytest.approx(p_not_safe(pairs))

    def test_a_stratum_with_fewer_clusters_than_asked_for_is_shown_and_not_tested(self):
        """Eleven clusters have means and an interval; p-values begin with twelve."""
        evidence = recall(compared(FEW_AND_MANY, "+" * 31, "-" * 11 + "+" * 20))
        assert evidence["few"].difference == -1
        assert all(math.isnan(getattr(evidence["few"], name)) for name in P_VALUES)
        assert not any(math.isnan(getattr(evidence[name], each)) for name in ("overall", "many") for each in P_VALUES)
        twelve = a_suite(*(a_query(f"q{number:02}") for number in range(12)))
        assert recall(compared(twelve, "+" * 12, "-" * 12))["overall"].p_worse == 2.0**-12

    def test_what_does_not_gate_makes_the_gating_family_no_larger(self):
        """Nine measures that nobody gates on cost the one that gates nothing."""
        evidence = compared(FEW_AND_MANY, "+" * 31, "+" * 20 + "-" * 6 + "+" * 5)
        assert len(evidence) > 6
        gating = [each for each in evidence if each.gating and not math.isnan(each.p_worse)]
        sums = np.array([[1.0, 1.0]] * 6)
        assert [each.p_worse for each in gating] == pytest.approx(p_of_every_flip(sums), abs=0.002)
        assert [each.p_worse_adjusted for each in gating] == pytest.approx(adjusted_of_every_flip(sums), abs=0.002)

    def test_two_suites_are_one_family(self):
        """What is looked at in one cycle is adjusted together, whichever suite it is in."""
        one = a_suite(*(a_query(f"q{number:02}") for number in range(15)), name="one")
        other = a_suite(*(a_query(f"q{number:02}") for number in range(15)), name="other")
        runs = [(found(suite, "+" * 15), found(suite, "-" * 4 + "+" * 11)) for suite in (one, other)]
        evidence = compare(pair_all(runs, RECALL_ONLY), RECALL_ONLY, rng=np.random.default_rng(1))
        adjusted = [each.p_worse_adjusted for each in evidence if each.gating]
        assert adjusted == pytest.approx([1 - (1 - 1 / 16) ** 2] * 2, abs=0.012)

    def test_the_order_of_the_queries_does_not_matter(self):
        """The same seed gives the same p-values, whichever query was asked first."""
        queries = FEW_AND_MANY.queries
        shuffled = [queries[each] for each in np.random.default_rng(6).permutation(len(queries))]
        after = dict(zip([query.query_id for query in queries], "-+" * 15 + "-", strict=True))
        other = a_suite(*shuffled)
        straight = recall(compared(FEW_AND_MANY, "+" * 31, "".join(after[query.query_id] for query in queries)))
        turned = recall(compared(other, "+" * 31, "".join(after[query.query_id] for query in shuffled)))
        for stratum, one in straight.items():
            same = [getattr(turned[stratum], name) for name in P_VALUES]
            assert same == pytest.approx([getattr(one, name) for name in P_VALUES], nan_ok=True, abs=0)

    @pytest.mark.parametrize("lost", range(7, 15))
    def test_with_one_hypothesis_adjusted_is_raw(self, lost: int):
        """Where nothing else is looked at there is nothing to adjust, in the far tail as elsewhere."""
        suite = a_suite(*(a_query(f"q{number:02}") for number in range(30)))
        [each] = recall(compared(suite, "+" * 29 + "-", "-" * lost + "+" * (30 - lost), seed=lost)).values()
        assert each.p_worse_adjusted == each.p_worse
        assert each.p_better_adjusted == each.p_better

    @pytest.mark.parametrize("lost", range(7, 15))
    def test_no_adjusted_p_value_is_below_its_raw_one(self, lost: int):
        """Neither in the far tail, where p-values are computed and not sampled."""
        after = "+" * 11 + "-" * lost + "+" * (20 - lost)
        for each in compared(FEW_AND_MANY, "+" * 31, after, Policy(), seed=lost):
            assert not each.p_worse_adjusted < each.p_worse
            assert not each.p_better_adjusted < each.p_better

    def test_a_p_value_reaches_below_what_sampling_can_show(self):
        """Sixty of sixty lost is 2⁻⁶⁰, not one in ten thousand; never zero, adjusted or not."""
        suite = a_suite(*(a_query(f"q{number:02}", stratum="ab"[number % 2]) for number in range(60)))
        evidence = recall(compared(suite, "+" * 60, "-" * 60))
        assert evidence["overall"].p_worse == 2.0**-60
        assert all(0 < each.p_worse <= each.p_worse_adjusted < 1e-8 for each in evidence.values())

    def test_identical_runs_have_p_one_and_no_width(self):
        """Nothing changed, and nothing is claimed to have."""
        for each in compared(FEW_AND_MANY, "+-" * 15 + "+", "+-" * 15 + "+"):
            if each.n_clusters >= 12:
                assert (each.difference, each.lower, each.upper) == (0, 0, 0)
                assert {getattr(each, name) for name in P_VALUES} == {1}


P_VALUES = ("p_worse", "p_worse_adjusted", "p_better", "p_better_adjusted")
