"""Simulated swaps of a suite with strata: how many queries change, by how much, and which strata lose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.study.generator import MRR, RECALL, swap
from monitor.model.measurements import Floats
from monitor.model.suites import Axis
from monitor.statistics.pairing import OVERALL, Paired

N_STRATA, CLUSTER_SIZE = 12, 5
Kind = Literal["sparse", "dense", "heavy-tailed"]
"""How a loss spreads.

sparse: single queries lose all they had; dense: every changed query is a little harder; heavy-tailed: MRR, whole
clusters of unequal sizes lose all they had.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A swap that changes some queries at random and takes some of the mean from some strata."""

    name: str
    changed: float
    """Share of queries that another deployment answers in its own way."""
    everywhere: float = 0.0
    """True relative loss of every stratum."""
    losses: tuple[float, ...] = ()
    """True relative losses of the first strata."""

    def drops(self, n_strata: int) -> list[float]:
        """True relative loss of each stratum."""
        return [*self.losses, *[self.everywhere] * (n_strata - len(self.losses))]


def draw(scenario: Scenario, kind: Kind, n_clusters: int, rng: np.random.Generator) -> tuple[list[Paired], Paired]:
    """The strata and the axis of one swap; each stratum has ``n_clusters`` clusters."""
    measure = MRR if kind == "heavy-tailed" else RECALL
    strata = []
    for number, drop in enumerate(scenario.drops(N_STRATA)):
        sizes = _sizes(kind, n_clusters, rng)
        cluster = np.repeat(np.arange(n_clusters), sizes)
        before, after = _values(scenario.changed, drop, kind, cluster, rng)
        strata.append(stratum_of(f"stratum {number}", measure, before, after, cluster))
    return strata, axis_of(strata)


def stratum_of(name: str, measure: str, before: Floats, after: Floats, cluster: np.ndarray) -> Paired:
    """One stratum as the pairs that the decision procedure takes."""
    names = tuple(f"{name}-{number}" for number in range(int(cluster.max()) + 1))
    return Paired(
        suite="suite",
        axis=Axis.BROAD,
        stratum=name,
        measure=measure,
        gating=True,
        baseline=before,
        candidate=after,
        cluster=cluster,
        cluster_names=names,
    )


def axis_of(strata: Sequence[Paired]) -> Paired:
    """All strata as one."""
    offsets = np.cumsum([0, *(paired.n_clusters for paired in strata[:-1])])
    return Paired(
        suite=strata[0].suite,
        axis=strata[0].axis,
        stratum=OVERALL,
        measure=strata[0].measure,
        gating=True,
        baseline=np.concatenate([paired.baseline for paired in strata]),
        candidate=np.concatenate([paired.candidate for paired in strata]),
        cluster=np.concatenate([paired.cluster + offset for paired, offset in zip(strata, offsets, strict=True)]),
        cluster_names=tuple(name for paired in strata for name in paired.cluster_names),
    )


def _sizes(kind: Kind, n_clusters: int, rng: np.random.Generator) -> np.ndarray:
    if kind != "heavy-tailed":
        return np.full(n_clusters, CLUSTER_SIZE)
    return np.minimum(rng.geometric(1.0 / CLUSTER_SIZE, size=n_clusters), 4 * CLUSTER_SIZE)


def _values(
    changed: float, drop: float, kind: Kind, cluster: np.ndarray, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Values per query before and after; the true mean after is lower by the relative ``drop``."""
    n_queries = len(cluster)
    if kind == "dense":
        share = min(max(changed, 2.0 * drop), 1.0)
        drawn = swap((1, n_queries), rng, drop=drop / share if drop else 0.0)
        return drawn.baseline[0], np.where(rng.random(n_queries) < share, drawn.candidate[0], drawn.baseline[0])
    drawn = swap((1, n_queries), rng, measure=MRR if kind == "heavy-tailed" else RECALL)
    after = np.where(rng.random(n_queries) < changed, drawn.candidate[0], drawn.baseline[0])
    lost = rng.random(n_queries if kind == "sparse" else int(cluster.max()) + 1) < drop
    return drawn.baseline[0], np.where(lost if kind == "sparse" else lost[cluster], 0.0, after)
