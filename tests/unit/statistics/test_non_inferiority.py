"""The axis test is the t test worked out by hand, and its bound and its p-value agree."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from monitor.model.measurements import Floats
from monitor.model.suites import Axis
from monitor.statistics.non_inferiority import NonInferiority, absolute_non_inferiority, relative_non_inferiority
from monitor.statistics.pairing import OVERALL, Paired
from tests.properties import examples

EXAMPLES = examples(60)
seeds = st.integers(0, 10_000)


def a_paired(before: Floats, after: Floats, cluster: Floats | None = None) -> Paired:
    """One measure of a whole axis; unless clusters are given each query is its own."""
    unique, of = np.unique(np.arange(len(before)) if cluster is None else cluster, return_inverse=True)
    names = tuple(f"{number:04}" for number in unique)
    return Paired(
        suite="broad",
        axis=Axis.BROAD,
        stratum=OVERALL,
        measure="recall@10",
        gating=True,
        baseline=before,
        candidate=after,
        cluster=of,
        cluster_names=names,
    )


def a_swap(seed: int, *, clusters: int = 40) -> Paired:
    """A random swap in clusters of unequal sizes."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(clusters), rng.integers(1, 8, size=clusters))
    before = rng.integers(0, 4, size=len(cluster)) / 3
    after = np.where(rng.random(len(cluster)) < 0.3, rng.integers(0, 4, size=len(cluster)) / 3, before)
    return a_paired(before, after, cluster)


def result_of(result: NonInferiority | None) -> NonInferiority:
    """The result of a test that took place."""
    assert result is not None
    return result


class TestRelative:
    """A margin as a share of the baseline."""

    def test_it_is_the_t_test_with_one_lost_cluster_more(self):
        """With one query a cluster: a plain one-sample t test of c − 0.95·b and one −0.95."""
        rng = np.random.default_rng(1)
        before, after = rng.random(80), rng.random(80)
        expected = stats.ttest_1samp(np.append(after - 0.95 * before, -0.95), 0.0, alternative="greater").pvalue
        result = result_of(relative_non_inferiority(a_paired(before, after), margin=0.05))
        assert result.p_value == pytest.approx(expected)
        assert result.change == pytest.approx(after.mean() / before.mean() - 1)

    def test_the_lost_cluster_has_the_root_mean_square_of_the_sizes(self):
        """Appending that cluster by hand to a plain cluster t test gives the same p-value."""
        swap = a_swap(3)
        sizes = np.bincount(swap.cluster).astype(float)
        lost = math.sqrt((sizes**2).mean())
        sums = np.append(swap.sum_by_cluster(swap.candidate - 0.9 * swap.baseline), -0.9 * lost)
        sizes = np.append(sizes, lost)
        mean, count = sums.sum() / sizes.sum(), len(sums)
        error = math.sqrt(count / (count - 1) * ((sums - sizes * mean) ** 2).sum()) / sizes.sum()
        expected = stats.t.sf(mean / error, count - 1)
        assert result_of(relative_non_inferiority(swap, margin=0.1)).p_value == pytest.approx(expected)

    @EXAMPLES
    @given(seeds)
    def test_at_the_bound_the_p_value_is_the_level(self, seed: int):
        """A margin as wide as the bound is kept at exactly 5 %."""
        swap = a_swap(seed)
        lower = result_of(relative_non_inferiority(swap)).lower
        assert -1.0 <= lower <= result_of(relative_non_inferiority(swap)).change
        assert result_of(relative_non_inferiority(swap, margin=-lower)).p_value == pytest.approx(0.05)

    @EXAMPLES
    @given(seeds, st.floats(0.01, 0.3), st.floats(0.01, 0.3))
    def test_a_wider_margin_is_kept_more_easily(self, seed: int, one: float, other: float):
        """The p-value falls as the margin grows."""
        swap, (narrow, wide) = a_swap(seed), sorted((one, other))
        assert (
            result_of(relative_non_inferiority(swap, margin=wide)).p_value
            <= result_of(relative_non_inferiority(swap, margin=narrow)).p_value + 1e-12
        )

    @EXAMPLES
    @given(seeds)
    def test_the_order_of_queries_does_not_matter(self, seed: int):
        """Shuffled queries give the same p-value."""
        swap = a_swap(seed)
        order = np.random.default_rng(seed).permutation(swap.n_queries)
        shuffled = a_paired(swap.baseline[order], swap.candidate[order], swap.cluster[order])
        one, other = result_of(relative_non_inferiority(swap)), result_of(relative_non_inferiority(shuffled))
        assert one.p_value == pytest.approx(other.p_value)
        assert one.lower == pytest.approx(other.lower)

    def test_fewer_than_twelve_clusters_are_not_tested(self):
        """Eleven clusters give no result, twelve do."""
        assert relative_non_inferiority(a_paired(np.ones(11), np.ones(11))) is None
        assert relative_non_inferiority(a_paired(np.ones(12), np.ones(12))) is not None
        assert relative_non_inferiority(a_paired(np.ones(11), np.ones(11)), min_clusters=2) is not None

    def test_an_identical_run_of_few_clusters_is_not_shown_to_be_safe(self):
        """By the rule of three, fewer than 60 clusters cannot exclude that 5 % are lost."""
        assert result_of(relative_non_inferiority(a_paired(np.ones(50), np.ones(50)))).p_value > 0.05
        assert result_of(relative_non_inferiority(a_paired(np.ones(80), np.ones(80)))).p_value < 0.05

    def test_a_baseline_of_zeros_is_never_safe(self):
        """Nothing can be kept where there was nothing, and the change is not a number."""
        result = result_of(relative_non_inferiority(a_paired(np.zeros(100), np.zeros(100))))
        assert result.p_value > 0.5
        assert math.isnan(result.change)
        assert result.lower == -1.0


class TestAbsolute:
    """A margin in units of the measure."""

    def test_it_is_the_t_test_with_one_cluster_fallen_to_the_end(self):
        """With one query a cluster: a plain one-sample t test of the differences and one fall from the mean to −3."""
        rng = np.random.default_rng(2)
        before = rng.normal(0.5, 1.0, 300)
        after = before + rng.normal(0.0, 0.3, 300)
        differences = np.append(after - before, -3.0 - before.mean())
        expected = stats.ttest_1samp(differences, -0.1, alternative="greater")
        result = result_of(absolute_non_inferiority(a_paired(before, after)))
        assert result.p_value == pytest.approx(expected.pvalue)
        assert result.lower == pytest.approx(expected.confidence_interval(0.95).low)

    @EXAMPLES
    @given(seeds, st.floats(-2.0, 2.0))
    def test_the_origin_of_the_scale_does_not_matter(self, seed: int, shift: float):
        """Adding a constant to both runs and to the lowest value changes nothing."""
        swap = a_swap(seed)
        moved = a_paired(swap.baseline + shift, swap.candidate + shift, swap.cluster)
        one = result_of(absolute_non_inferiority(swap))
        other = result_of(absolute_non_inferiority(moved, lowest=shift - 3.0))
        assert one.p_value == pytest.approx(other.p_value)
        assert one.lower == pytest.approx(other.lower)

    def test_a_rise_is_safe_and_a_fall_is_not(self):
        """Half a standard deviation in 400 clusters."""
        before = np.random.default_rng(4).normal(0.5, 1.0, 400)
        assert result_of(absolute_non_inferiority(a_paired(before, before + 0.5))).p_value < 1e-6
        assert result_of(absolute_non_inferiority(a_paired(before, before - 0.5))).p_value > 0.999

    def test_fewer_than_twelve_clusters_are_not_tested(self):
        """Eleven clusters give no result."""
        assert absolute_non_inferiority(a_paired(np.zeros(11), np.zeros(11))) is None
