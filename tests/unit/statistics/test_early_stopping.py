"""Evidence of a drop: exact on small cases, valid however often one looks, blind to nothing it should see."""

import itertools

import numpy as np
import pytest

from monitor.model.suites import Axis
from monitor.statistics.early_stopping import BETS, evidence_of_drop, losses_by_cluster
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


def evidence(differences, cluster=None):
    """E after each cluster of these differences."""
    paired = pairs(differences, cluster)
    return evidence_of_drop(losses_by_cluster(paired, paired.n_queries / paired.n_clusters))


def test_the_evidence_is_the_product_of_the_bets():
    """E after two clusters is the mean over the bets of exp(λx)/cosh(λx) multiplied."""
    losses = np.array([0.5, -0.25])
    expected = np.mean([np.prod(np.exp(bet * losses) / np.cosh(bet * losses)) for bet in BETS])
    assert evidence(-losses)[1] == pytest.approx(expected, rel=1e-12)


def test_its_mean_over_all_signs_is_one():
    """Under the null the evidence is fair: averaged over every sign pattern it stays at its start, 1."""
    sizes = np.array([0.1, 0.3, 1.0, 0.7, 0.2])
    final = [evidence(sizes * signs)[-1] for signs in itertools.product((-1.0, 1.0), repeat=5)]
    assert np.mean(final) == pytest.approx(1.0, rel=1e-12)


def test_a_drop_reaches_any_threshold():
    """Forty losses of 0.8 are evidence of more than a hundred to one, and each adds to it."""
    path = evidence(np.full(40, -0.8))
    assert path[-1] > 100
    assert (np.diff(path) > 0).all()


def test_nothing_changed_is_no_evidence():
    """Where no query changed, E stays at 1."""
    assert evidence(np.zeros(30)).tolist() == [1.0] * 30


def test_a_rise_is_no_evidence():
    """Better results never give evidence of a drop, however large they are."""
    assert evidence(np.full(500, 1.0)).max() < 1


def test_a_cluster_counts_once():
    """Ten queries that fell together are one observation, not ten."""
    together, apart = evidence(np.full(10, -1.0), np.zeros(10, int)), evidence(np.full(10, -1.0))
    assert (len(together), len(apart)) == (1, 10)
    assert together[-1] < 20 < apart[-1]


def test_it_errs_no_more_often_than_alpha():
    """Looked at after each of 300 clusters of symmetric differences, E reaches 1/α with probability α at most."""
    rng = np.random.default_rng(5)
    repetitions, alpha = 2_000, 0.05
    reached = sum(evidence(rng.normal(size=300)).max() >= 1 / alpha for _ in range(repetitions))
    assert reached / repetitions <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / repetitions)


def test_long_runs_do_not_overflow():
    """Five thousand total losses leave a number behind, neither NaN nor infinity."""
    assert np.isfinite(evidence(np.full(5_000, -1.0))).all()


def test_nan_is_refused():
    """A difference that is not a number is an error, never evidence."""
    with pytest.raises(ValueError, match="not a finite number"):
        evidence([0.1, float("nan")])
