"""The sign-flip test without sampling: equal to counting every pattern, and right far beyond any sample."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from monitor.statistics.exact_p_values import sign_flip_p

SUMS = st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=1, max_size=10).map(np.array)
LATTICE = st.lists(st.sampled_from([-1.0, -0.5, -1 / 3, 0.0, 0.1, 1 / 3, 0.5, 1.0]), min_size=1, max_size=11)


def counted(sums: np.ndarray) -> float:
    """The share of all sign patterns that reach the observed total."""
    patterns = np.array(list(itertools.product((-1, 1), repeat=len(sums))))
    return float((patterns @ np.abs(sums) >= sums.sum() - 1e-12 * np.abs(sums).sum()).mean())


@given(LATTICE.map(np.array))
def test_on_a_lattice_it_equals_counting_every_pattern(sums):
    """Recall, hits, pairs and reciprocal ranks have an exact p-value."""
    assert sign_flip_p(sums) == pytest.approx(counted(sums), abs=1e-12)


@given(SUMS)
def test_off_the_lattice_rounding_is_never_in_favour_of_significance(sums):
    """For any other values the p-value is at least the exact one, and hardly more."""
    assert counted(sums) - 1e-12 <= sign_flip_p(sums)
    shaken = sums.sum() - 2 * len(sums) * np.abs(sums).sum() / 2**16
    patterns = np.array(list(itertools.product((-1, 1), repeat=len(sums))))
    assert sign_flip_p(sums) <= (patterns @ np.abs(sums) >= shaken * (1 - 1e-12)).mean() + 1e-12


@pytest.mark.parametrize("n", [100, 500])
@pytest.mark.parametrize("shift", [-0.1, 0.0, 0.1])
def test_the_saddlepoint_agrees_with_sampling(n, shift):
    """With a hundred or more changes the approximation is within sampling error of a hundred thousand flips."""
    rng = np.random.default_rng(n)
    sums = rng.normal(shift, 1, n) * rng.exponential(1, n)
    drawn = 100_000
    hits = sum(
        int(((rng.integers(0, 2, (10_000, n), dtype=np.int8) * 2.0 - 1.0) @ sums >= sums.sum()).sum())
        for _ in range(drawn // 10_000)
    )
    p = sign_flip_p(sums)
    assert abs(p - hits / drawn) <= 4 * np.sqrt(p * (1 - p) / drawn) + 0.01 * p + 1e-4


def test_the_saddlepoint_is_right_where_no_sample_could_reach():
    """At one in 10¹⁵ the approximation, forced on a lattice, is within five per cent of the exact value."""
    sums = np.array([1.0] * 160 + [-1.0] * 40)
    truth = float(stats.binom.sf(159, 200, 0.5))
    assert sign_flip_p(sums) == pytest.approx(truth, rel=1e-9)
    jittered = sums * np.random.default_rng(0).uniform(0.999, 1.001, 200)
    # A lattice has atoms and the continuous one has none: half an atom lies between them.
    middle = truth - 0.5 * float(stats.binom.pmf(160, 200, 0.5))
    assert sign_flip_p(jittered) == pytest.approx(middle, rel=0.05)


@given(SUMS | LATTICE.map(np.array))
def test_a_p_value_is_never_zero_and_never_above_one(sums):
    """The observed pattern is always one of those counted."""
    assert 0 < sign_flip_p(sums) <= 1
    assert sign_flip_p(sums) >= 0.5 ** len(sums) * (1 - 1e-9)


@pytest.mark.parametrize("n", [1, 30, 99, 100, 20_000])
def test_total_agreement_has_the_smallest_p_value_there_is(n):
    """If every cluster moved one way, only one pattern in 2ⁿ does as much."""
    sums = np.random.default_rng(1).uniform(0.5, 1, n)
    smallest = 0.5**n
    assert sign_flip_p(sums) == pytest.approx(smallest, rel=1e-6, abs=0) if smallest > 0 else sign_flip_p(sums) > 0


@pytest.mark.parametrize("n", [12, 60, 400])
def test_a_larger_effect_has_a_smaller_p_value(n):
    """Shifting every sum up never raises the p-value."""
    sums = np.random.default_rng(n).normal(0, 1, n)
    p_values = [sign_flip_p(sums + shift) for shift in (-0.2, 0.0, 0.2, 0.4)]
    assert p_values == sorted(p_values, reverse=True)


def test_the_order_of_the_clusters_does_not_matter():
    """Only the values count."""
    rng = np.random.default_rng(3)
    sums = rng.normal(0.1, 1, 150)
    assert sign_flip_p(sums) == pytest.approx(sign_flip_p(rng.permutation(sums)), rel=1e-9)


def test_nothing_changed_is_no_evidence():
    """All zero differences, or none at all, have p = 1."""
    assert sign_flip_p(np.zeros(10)) == sign_flip_p(np.array([])) == 1.0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_a_number_is_refused(value):
    """A NaN never becomes a p-value."""
    with pytest.raises(ValueError, match="not a finite number"):
        sign_flip_p(np.array([0.1, value]))


def test_adding_what_did_not_change_changes_nothing():
    """Clusters without a difference carry no evidence."""
    sums = np.random.default_rng(5).normal(0.2, 1, 40)
    assert sign_flip_p(np.concatenate((sums, np.zeros(100)))) == sign_flip_p(sums)
