"""Simulated retrievers: what two deployments score on the same queries, with difficulty per query and per document.

A relevant document is retrieved in the first ten when ``ease + query + document + own`` is above zero, where
``query`` and ``document`` are difficulties that both deployments share and ``own`` is what differs between two
embedding models. Its rank falls with the same sum. A swap that loses a given share of the mean is a lower ``ease``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from monitor.model.measurements import Floats
from monitor.model.suites import Axis
from monitor.statistics.pairing import OVERALL, Paired

RECALL, MRR = "recall@10", "mrr@10"
DOCUMENTS = 3
EASE = 1.2
OWN = {RECALL: 1.0, MRR: 1.0}
"""Spread of what two deployments differ in: the σ_d / μ_b of 0.35 and 0.50 that the specification's effects imply."""
_CALIBRATION = 200_000


@dataclass(frozen=True, slots=True)
class Swap:
    """Values per query before and after a swap; shape (repetitions, n_queries)."""

    baseline: Floats
    candidate: Floats

    @property
    def differences(self) -> Floats:
        """Candidate minus baseline; negative is worse."""
        return self.candidate - self.baseline


def swap(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    measure: str = RECALL,
    drop: float = 0.0,
    cluster_size: int = 1,
    shared: float = 0.0,
) -> Swap:
    """Two deployments on the same queries; the candidate's true mean is lower by the relative ``drop``.

    ``shared`` is the share of the variance of what differs that a whole cluster of queries has in common.
    """
    difficulty = _difficulty(shape, rng)
    before, after = (_own(shape, rng, OWN[measure], cluster_size, shared) for _ in range(2))
    return Swap(
        _score(difficulty + before, EASE, measure), _score(difficulty + after, EASE - shift_of(measure, drop), measure)
    )


def deployments(
    count: int, n_queries: int, rng: np.random.Generator, *, measure: str, cluster_size: int, shared: float
) -> Floats:
    """Values of equally good deployments on the same queries, shape (count, n_queries)."""
    difficulty = _difficulty((1, n_queries), rng)
    return _score(difficulty + _own((count, n_queries), rng, OWN[measure], cluster_size, shared), EASE, measure)


def paired(swapped: Swap, row: int = 0, *, cluster_size: int = 1, stratum: str = OVERALL, **kind: str) -> Paired:
    """One repetition as the pairs that the decision procedure takes."""
    n_queries = swapped.baseline.shape[1]
    cluster = np.arange(n_queries) // cluster_size
    names = tuple(f"{stratum}-{number}" for number in range(int(cluster[-1]) + 1))
    measure, axis = kind.get("measure", RECALL), Axis(kind.get("axis", Axis.BROAD))
    return Paired(
        suite="suite",
        axis=axis,
        stratum=stratum,
        measure=measure,
        gating=True,
        baseline=swapped.baseline[row],
        candidate=swapped.candidate[row],
        cluster=cluster,
        cluster_names=names,
    )


def _difficulty(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    return rng.normal(size=(*shape, 1)) + rng.normal(size=(*shape, DOCUMENTS))


def _own(shape: tuple[int, int], rng: np.random.Generator, spread: float, cluster_size: int, shared: float) -> Floats:
    own = rng.normal(size=(*shape, DOCUMENTS))
    if shared:
        common = rng.normal(size=(shape[0], -(-shape[1] // cluster_size), 1)).repeat(cluster_size, axis=1)
        own = np.sqrt(1 - shared) * own + np.sqrt(shared) * common[:, : shape[1]]
    return spread * own


def _score(strength: Floats, ease: float, measure: str) -> Floats:
    scores = strength + ease
    if measure == RECALL:
        return np.asarray((scores > 0).mean(axis=-1))
    best = scores.max(axis=-1)
    rank = np.floor(10 * np.exp(-np.maximum(best, 0.0))) + 1
    return np.where(best > 0, 1 / rank, 0.0)


@lru_cache
def shift_of(measure: str, drop: float) -> float:
    """By how much ``ease`` must fall for the mean to fall by ``drop``, by bisection on a large sample."""
    if not drop:
        return 0.0
    rng = np.random.default_rng(0)
    strength = _difficulty((1, _CALIBRATION), rng) + _own((1, _CALIBRATION), rng, OWN[measure], 1, 0.0)
    expected = (1 - drop) * _score(strength, EASE, measure).mean()
    low, high = (0.0, 8.0) if drop > 0 else (-8.0, 0.0)
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if _score(strength, EASE - middle, measure).mean() > expected else (low, middle)
    return low
