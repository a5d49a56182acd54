"""Stop a replay at a swap as soon as the drop is established: fewer calls to a retriever that got worse.

Nothing in recallwatch uses it yet: a cycle replays the whole suite.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.model.measurements import Floats
from monitor.statistics.pairing import Paired

BETS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""The sizes of drop that the evidence bets on."""
_CEILING = 700.0
"""Exponents beyond it would overflow, and no threshold is that high."""


class EarlyStop(NamedTuple):
    """Growth of the evidence while clusters are probed in random order."""

    order: NDArray[np.intp]
    """Cluster numbers in the order in which they are probed, shape (n_clusters,)."""
    evidence: Floats
    """E after each cluster, shape (n_clusters,)."""
    stopped_at: int | None
    """Index of the cluster after which the drop was established; None if it never was."""


def stop_early(paired: Paired, *, alpha: float, rng: np.random.Generator) -> EarlyStop:
    """The evidence path of a drop, and the cluster at which probing could have stopped.

    Null hypothesis: the differences of each cluster are symmetric about zero. With x the baseline's sum less the
    candidate's, over the root of the mean cluster size, E_n = mean over λ of Π exp(λx)/cosh(λx). Under the null it
    is a martingale that starts at 1, so that it ever reaches 1/``alpha`` with probability ``alpha`` at most, however
    often one looks. The order is random, because the order of a suite has a meaning.

    It can only establish a drop. A replay that does not stop is no evidence of safety: then compare the whole suite.

    Raises ValueError if a difference is not a finite number, or if ``alpha`` is not between 0 and 1.

    References
    ----------
    Howard et al. 2021, lemma 3 (symmetric observations); Ramdas et al. 2020 (arXiv 2009.03167).

    Examples
    --------
    >>> from monitor.model.suites import Axis
    >>> names = tuple("abcdefghij")
    >>> paired = Paired(
    ...     suite="s", axis=Axis.BROAD, stratum="all", measure="m", gating=True,
    ...     baseline=np.ones(10), candidate=np.zeros(10), cluster=np.arange(10), cluster_names=names,
    ... )
    >>> stop_early(paired, alpha=0.05, rng=np.random.default_rng(1)).stopped_at
    5
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}, not between 0 and 1")
    losses = -paired.sum_by_cluster(paired.differences) / np.sqrt(paired.n_queries / paired.n_clusters)
    if not np.isfinite(losses).all():
        raise ValueError("a difference is not a finite number")
    order = rng.permutation(paired.n_clusters)
    angle = np.outer(losses[order], BETS)
    # log(exp(λx)/cosh(λx)), without overflowing
    growth = angle - np.logaddexp(angle, -angle) + np.log(2.0)
    evidence = np.exp(np.minimum(growth.cumsum(axis=0), _CEILING)).mean(axis=1)
    reached = np.flatnonzero(evidence >= 1 / alpha)
    return EarlyStop(order, evidence, int(reached[0]) if len(reached) else None)
