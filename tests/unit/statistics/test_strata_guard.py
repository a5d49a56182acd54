"""The posterior is that of brute-force integration, and the guard answers as its limits say."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import ndtr

from monitor.model.suites import Axis
from monitor.statistics.pairing import Paired
from monitor.statistics.strata_guard import (
    StrataEstimates,
    estimate_strata,
    guard_strata,
    probabilities_of_loss,
    queries_needed,
    relative_margins,
)
from tests.properties import examples

EXAMPLES = examples(40)
seeds = st.integers(0, 10_000)


def some_estimates(seed: int, count: int = 8) -> StrataEstimates:
    """Random strata about as wide as they differ."""
    rng = np.random.default_rng(seed)
    return StrataEstimates(
        names=tuple(f"s{number}" for number in range(count)),
        differences=rng.normal(-0.02, 0.03, count),
        margins=rng.uniform(0.04, 0.09, count),
        variances=rng.uniform(0.005, 0.04, count) ** 2,
        n_queries=np.full(count, 150.0),
    )


def brute_force(of: StrataEstimates) -> list[float]:
    """The same posterior on a grid of τ and μ, with every normal distribution written out."""
    scale = of.margins.mean()
    tau = np.geomspace(1e-5, 1e3, 500) * scale
    mu = np.linspace(-1.0, 1.0, 1_001)
    share = np.zeros(len(of.names))
    total = 0.0
    for spread, step in zip(tau, np.gradient(tau), strict=True):
        sd = np.sqrt(of.variances + spread**2)
        likelihood = np.exp(stats.norm.logpdf(of.differences[:, None], mu, sd[:, None]).sum(axis=0))
        weight = likelihood * stats.halfcauchy.pdf(spread, scale=scale) * step
        precision = 1 / of.variances + 1 / spread**2
        mean = (of.differences[:, None] / of.variances[:, None] + mu / spread**2) / precision[:, None]
        share += ndtr((-of.margins[:, None] - mean) * np.sqrt(precision)[:, None]) @ weight
        total += weight.sum()
    return list(share / total)


def a_stratum(name: str, *, lost: int = 0, clusters: int = 40, baseline: float = 1.0) -> Paired:
    """One query a cluster; the first ``lost`` queries lose all they had."""
    before = np.full(clusters, baseline)
    after = np.where(np.arange(clusters) < lost, 0.0, before)
    names = tuple(f"{name}{number}" for number in range(clusters))
    return Paired(
        suite="broad",
        axis=Axis.BROAD,
        stratum=name,
        measure="recall@10",
        gating=True,
        baseline=before,
        candidate=after,
        cluster=np.arange(clusters),
        cluster_names=names,
    )


class TestPosterior:
    """Probabilities of a loss beyond the margin."""

    @pytest.mark.parametrize("seed", range(6))
    def test_the_quadrature_is_the_integral(self, seed: int):
        """Within 0.001 of a grid of half a million points."""
        of = some_estimates(seed, count=3 + seed)
        assert probabilities_of_loss(of).tolist() == pytest.approx(brute_force(of), abs=1e-3)

    def test_one_stratum_is_not_pooled(self):
        """Its posterior is the normal distribution around its own estimate."""
        of = some_estimates(1, count=1)
        expected = ndtr(-(of.differences + of.margins) / np.sqrt(of.variances))
        assert probabilities_of_loss(of).tolist() == pytest.approx(expected.tolist(), abs=1e-12)

    @EXAMPLES
    @given(seeds)
    def test_the_order_of_strata_does_not_matter(self, seed: int):
        """Reversed strata have reversed probabilities."""
        of = some_estimates(seed)
        reverse = replace(of, differences=of.differences[::-1], margins=of.margins[::-1], variances=of.variances[::-1])
        assert probabilities_of_loss(reverse)[::-1].tolist() == pytest.approx(probabilities_of_loss(of).tolist())

    @EXAMPLES
    @given(seeds, st.floats(0.01, 100.0))
    def test_the_unit_of_the_measure_does_not_matter(self, seed: int, unit: float):
        """Points or percentage points: the scale of the prior is in margins."""
        of = some_estimates(seed)
        scaled = replace(
            of, differences=of.differences * unit, margins=of.margins * unit, variances=of.variances * unit**2
        )
        assert probabilities_of_loss(scaled).tolist() == pytest.approx(probabilities_of_loss(of).tolist())

    @EXAMPLES
    @given(seeds, st.floats(0.0, 0.2))
    def test_a_common_fall_makes_every_loss_more_probable(self, seed: int, fall: float):
        """All differences lower by the same amount: no probability falls."""
        of = some_estimates(seed)
        lower = probabilities_of_loss(replace(of, differences=of.differences - fall))
        assert (lower >= probabilities_of_loss(of) - 1e-12).all()

    def test_extreme_estimates_give_probabilities(self):
        """Widths from a millionth to a million margins: finite, within 0 and 1."""
        of = replace(some_estimates(2), variances=np.geomspace(1e-12, 1e12, 8))
        probabilities = probabilities_of_loss(of)
        assert np.isfinite(probabilities).all()
        assert ((probabilities >= 0) & (probabilities <= 1)).all()

    @pytest.mark.slow
    def test_twenty_strata_take_less_than_a_millisecond(self):
        """The best of fifty runs."""
        of, durations = some_estimates(0, count=20), []
        for _ in range(50):
            started_at = time.perf_counter()
            probabilities_of_loss(of)
            durations.append(time.perf_counter() - started_at)
        assert min(durations) < 1e-3


class TestEstimates:
    """Differences and their variances."""

    def test_a_stratum_that_varies_more_keeps_its_own_variance(self):
        """Shrinkage widens narrow strata and never narrows wide ones."""
        strata = [a_stratum("a"), a_stratum("b", lost=4)]
        estimates = estimate_strata(strata, [0.1, 0.1])
        own = np.var(strata[1].differences, ddof=1) / 40
        assert estimates.variances[1] == pytest.approx(own)
        assert 0 < estimates.variances[0] < own

    def test_the_pool_has_one_lost_cluster(self):
        """Two strata in which nothing changed: the pooled variance is 1 / (2·39 + 1)."""
        estimates = estimate_strata([a_stratum("a"), a_stratum("b")], [0.1, 0.1])
        assert estimates.variances.tolist() == pytest.approx([20 / 59 / 79 / 40] * 2)

    def test_a_larger_worst_drop_makes_wider_strata(self):
        """A measure with a range of six: thirty-six times the variance."""
        strata = [a_stratum("a"), a_stratum("b")]
        narrow, wide = estimate_strata(strata, [0.1, 0.1]), estimate_strata(strata, [0.1, 0.1], 6.0)
        assert wide.variances.tolist() == pytest.approx((36 * narrow.variances).tolist())


class TestGuard:
    """Passed or not, and why."""

    def test_strata_in_which_nothing_changed_pass(self):
        """Twelve strata of 40 clusters; no query is missing."""
        strata = [a_stratum(name) for name in "abcdefghijkl"]
        guard = guard_strata(strata, relative_margins(strata, 0.1))
        assert guard.passed
        assert guard.queries_needed == {}
        assert guard.untested == ()
        assert max(guard.probabilities.values()) == guard.probability

    def test_the_one_stratum_that_lost_is_named(self):
        """Eleven untouched strata do not hide the twelfth, which lost a fifth."""
        strata = [a_stratum(name, lost=8 if name == "g" else 0) for name in "abcdefghijkl"]
        guard = guard_strata(strata, relative_margins(strata, 0.1))
        assert not guard.passed
        assert guard.worst == "g"
        assert guard.own_probability > 0.9

    def test_pooling_alone_would_hide_it(self):
        """Why a stratum is looked at by itself as well: 240 clusters each, and one that lost a fifth."""
        strata = [a_stratum(name, lost=48 if name == "g" else 0, clusters=240) for name in "abcdefghijkl"]
        margins = relative_margins(strata, 0.15)
        assert guard_strata(strata, margins, own_level=1.0).passed
        assert not guard_strata(strata, margins).passed

    def test_a_stratum_too_wide_says_how_many_queries_it_needs(self):
        """Half the queries lost something and half gained it: no loss, and far too much variance."""
        before = np.full(40, 0.5)
        after = np.where(np.arange(40) % 2, 1.0, 0.0)
        names = tuple(map(str, range(40)))
        wide = Paired(
            suite="broad",
            axis=Axis.BROAD,
            stratum="wide",
            measure="mrr@10",
            gating=True,
            baseline=before,
            candidate=after,
            cluster=np.arange(40),
            cluster_names=names,
        )
        guard = guard_strata([wide, a_stratum("narrow")], [0.05, 0.1])
        assert not guard.passed
        assert guard.worst == "wide"
        assert guard.queries_needed["wide"] == pytest.approx(0.25 * 40 / 39 / (0.27 * 0.05) ** 2, abs=1)

    def test_a_stratum_of_one_cluster_or_a_tiny_baseline_is_not_tested(self):
        """Both are named; the others decide."""
        strata = [a_stratum("one", clusters=1), a_stratum("tiny", baseline=0.02), *map(a_stratum, "abcdefghijkl")]
        margins = relative_margins(strata, 0.1)
        guard = guard_strata(strata, margins)
        assert math.isnan(margins[1])
        assert guard.untested == ("one", "tiny")
        assert guard.passed

    def test_no_stratum_that_could_be_tested_is_not_passed(self):
        """Nothing known is not safe; an axis without strata has nothing to guard."""
        guard = guard_strata([a_stratum("one", clusters=1)], [0.1])
        assert not guard.passed
        assert math.isnan(guard.probability)
        assert guard_strata([], []).passed

    def test_queries_are_needed_only_where_the_width_asks_for_them(self):
        """Twice the feasible width takes four times the queries."""
        of = replace(
            some_estimates(0, count=2),
            margins=np.ones(2),
            variances=np.array([0.54**2, 0.27**2 - 1e-9]),
        )
        assert queries_needed(of) == {"s0": 600}
