"""How often swaps are called safe, in short: the axis test and the guard over strata on simulated differences.

Seeds are fixed. The study (`benchmarks/study/passed.py`) has the full table.
"""

import math
from functools import lru_cache

import numpy as np
import pytest

from benchmarks.study.passed import Answers, answers_of
from benchmarks.study.strata import Kind, Scenario, draw
from monitor.statistics.strata_guard import StrataEstimates, probabilities_of_loss

pytestmark = pytest.mark.slow

REPETITIONS = 120


@lru_cache
def shares(
    kind: Kind, clusters: int, changed: float, everywhere: float = 0.0, losses: tuple[float, ...] = ()
) -> Answers:
    """The share of swaps that each rule calls safe; the same swaps in every session."""
    scenario = Scenario(name="", changed=changed, everywhere=everywhere, losses=losses)
    answers = [
        answers_of(*draw(scenario, kind, clusters, np.random.default_rng([clusters, number])))
        for number in range(REPETITIONS)
    ]
    return Answers(*(float(share) for share in np.mean(answers, axis=0)))


def at_most(rate: float) -> float:
    """The largest share that a true rate shows in so many repetitions, at three standard errors."""
    return rate + 3 * math.sqrt(rate * (1 - rate) / REPETITIONS)


class TestHarmlessSwaps:
    """A swap that takes nothing away."""

    @pytest.mark.parametrize("kind", ["sparse", "dense"])
    @pytest.mark.parametrize("changed", [0.05, 0.15, 0.5])
    def test_it_passes_where_the_strata_are_narrow_enough(self, kind: Kind, changed: float):
        """Twelve strata of 31 clusters of 5: at least 95 %, where the earlier rule passed none."""
        answers = shares(kind, 31, changed)
        assert answers.width <= 0.27
        assert answers.safe >= 0.95
        assert answers.old_rule == 0.0

    def test_it_passes_with_heavy_tails_and_enough_clusters(self):
        """MRR, clusters of 1 to 20 queries: half of the queries changed."""
        answers = shares("heavy-tailed", 100, 0.5)
        assert answers.width <= 0.27
        assert answers.safe >= 0.95

    def test_a_null_twin_passes_with_ten_clusters_a_stratum(self):
        """120 clusters on the axis are enough for it, and the strata borrow each other's variance."""
        assert shares("dense", 10, 0.05).safe >= 0.95


class TestHarmfulSwaps:
    """A swap that takes something away."""

    @pytest.mark.parametrize("kind", ["sparse", "dense", "heavy-tailed"])
    @pytest.mark.parametrize("clusters", [10, 31, 100])
    def test_five_per_cent_everywhere_is_not_called_safe(self, kind: Kind, clusters: int):
        """A loss of the axis margin: one swap in twenty at most."""
        assert shares(kind, clusters, 0.5, 0.05).safe <= at_most(0.05)

    @pytest.mark.parametrize("kind", ["sparse", "dense"])
    @pytest.mark.parametrize("clusters", [31, 100])
    def test_one_stratum_that_lost_its_margin_seldom_passes(self, kind: Kind, clusters: int):
        """One stratum of twelve at −10 %: one swap in four."""
        assert shares(kind, clusters, 0.15, losses=(0.1,)).safe <= at_most(0.27)

    @pytest.mark.parametrize("kind", ["sparse", "dense"])
    @pytest.mark.parametrize("clusters", [31, 100])
    def test_one_stratum_that_lost_twice_its_margin_never_passes(self, kind: Kind, clusters: int):
        """One stratum of twelve at −20 %."""
        assert shares(kind, clusters, 0.15, losses=(0.2,)).safe <= at_most(0.01)

    def test_whole_clusters_lost_in_one_stratum_are_not_hidden_by_the_others(self):
        """−20 % in lost clusters: the posterior by itself passes nearly all of them, the guard next to none."""
        answers = shares("heavy-tailed", 100, 0.15, losses=(0.2,))
        assert answers.posterior_alone > 0.8
        assert answers.safe <= at_most(0.03)

    @pytest.mark.parametrize("losses", [(0.2, 0.2), (0.1, 0.1, 0.1)])
    def test_several_bad_strata_pass_less_often_than_one(self, losses: tuple[float, ...]):
        """Two at −20 % or three at −10 %."""
        assert shares("sparse", 31, 0.15, losses=losses).safe <= at_most(0.05)


class TestCalibration:
    """The posterior under its own model."""

    def test_probabilities_are_frequencies(self):
        """Strata drawn from the model: of those with a probability of about p, a share of p lost the margin."""
        rng, stated, lost = np.random.default_rng(7), [], []
        while len(stated) < 1_500:
            # A flat prior cannot be drawn from: a wide uniform one stands for it.
            tau, mean = abs(rng.standard_cauchy()), rng.uniform(-3.0, 3.0)
            true = rng.normal(mean, tau, 12)
            of = StrataEstimates(
                names=tuple("abcdefghijkl"),
                differences=rng.normal(true, 0.5),
                margins=np.ones(12),
                variances=np.full(12, 0.25),
                n_queries=np.ones(12),
            )
            stated.append(probabilities_of_loss(of))
            lost.append(true < -1.0)
        probability, outcome = np.concatenate(stated), np.concatenate(lost)
        for low, high in ((0.02, 0.1), (0.1, 0.3), (0.3, 0.7), (0.7, 0.9), (0.9, 0.98)):
            within = (probability >= low) & (probability < high)
            assert within.sum() > 100
            assert outcome[within].mean() == pytest.approx(probability[within].mean(), abs=0.06)
