"""Stopping early: exact on small cases, valid however often one looks, blind to nothing it should see."""

import itertools

import numpy as np
import pytest

from benchmarks.study.early_stopping import BETS, stop_early
from monitor.model.suites import Axis
from monitor.statistics.pairing import Paired


def pairs(differences, cluster=None):
    """Pairs with these differences; by default each query is a cluster of its own."""
    differences = np.asarray(differences, dtype=float)
    cluster = np.arange(len(differences)) if cluster is None else np.asarray(cluster)
    names = tuple(map(str, range(int(cluster.max()) + 1)))
    baseline = np.zeros(len(differences))
    return Paired(
        suite="suite",
        axis=Axis.BROAD,
        stratum="overall",
        measure="recall@10",
        gating=True,
        baseline=baseline,
        candidate=differences,
        cluster=cluster,
        cluster_names=names,
    )


def stop(differences, cluster=None, *, alpha=0.05, seed=1):
    """Where probing of these differences stops."""
    return stop_early(pairs(differences, cluster), alpha=alpha, rng=np.random.default_rng(seed))


def test_the_evidence_is_the_product_of_the_bets():
    """E after two clusters is the mean over the bets of exp(λx)/cosh(λx) multiplied."""
    found = stop([-0.5, 0.25])
    losses = np.array([0.5, -0.25])[found.order]
    expected = np.mean([np.prod(np.exp(bet * losses) / np.cosh(bet * losses)) for bet in BETS])
    assert found.evidence[1] == pytest.approx(expected, rel=1e-12)


def test_its_mean_over_all_signs_is_one():
    """Under the null the evidence is fair: averaged over every sign pattern it stays at its start, 1."""
    sizes = np.array([0.1, 0.3, 1.0, 0.7, 0.2])
    last = [stop(sizes * signs).evidence[-1] for signs in itertools.product((-1.0, 1.0), repeat=5)]
    assert np.mean(last) == pytest.approx(1.0, rel=1e-12)


def test_it_stops_at_the_first_cluster_that_establishes_the_drop():
    """Before the stop the evidence is below 1/α, at the stop it is not."""
    found = stop(np.full(40, -0.8), alpha=0.01)
    assert found.stopped_at is not None
    assert found.evidence[found.stopped_at] >= 100
    assert (found.evidence[: found.stopped_at] < 100).all()


def test_nothing_changed_is_no_evidence():
    """Where no query changed, E stays at 1 and nothing stops."""
    found = stop(np.zeros(30))
    assert found.evidence.tolist() == [1.0] * 30
    assert found.stopped_at is None


def test_a_rise_never_stops():
    """Better results are no reason to stop, however large they are."""
    assert stop(np.full(500, 1.0)).stopped_at is None


def test_a_cluster_counts_once():
    """Ten queries that fell together are one observation, not ten."""
    together, apart = stop(np.full(10, -1.0), np.zeros(10, int)), stop(np.full(10, -1.0))
    assert together.stopped_at is None
    assert len(together.evidence) == 1
    assert apart.stopped_at is not None


def test_every_cluster_is_probed_once_in_random_order():
    """The order is a permutation, the same for the same generator state and another for another."""
    first, same, other = stop(np.zeros(50)), stop(np.zeros(50)), stop(np.zeros(50), seed=2)
    assert sorted(first.order) == list(range(50))
    assert first.order.tolist() == same.order.tolist() != other.order.tolist()


def test_it_stops_falsely_no_more_often_than_alpha():
    """Looked at after each of 300 clusters of symmetric differences, E reaches 1/α with probability α at most."""
    rng = np.random.default_rng(5)
    repetitions, alpha = 2_000, 0.05
    stopped = sum(
        stop(rng.normal(size=300), alpha=alpha, seed=seed).stopped_at is not None for seed in range(repetitions)
    )
    assert stopped / repetitions <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / repetitions)


def test_long_runs_do_not_overflow():
    """Five thousand total losses leave a number behind, neither NaN nor infinity."""
    assert np.isfinite(stop(np.full(5_000, -1.0)).evidence).all()


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1])
def test_an_alpha_that_is_no_probability_is_refused(alpha):
    """Alpha must lie between 0 and 1."""
    with pytest.raises(ValueError, match="not between 0 and 1"):
        stop([-1.0], alpha=alpha)


def test_nan_is_refused():
    """A difference that is not a number is an error, never evidence."""
    with pytest.raises(ValueError, match="not a finite number"):
        stop([0.1, float("nan")])
