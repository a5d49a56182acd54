"""Evidence of a drop that may be looked at after every probe: a gate stops asking as soon as the drop is clear."""

from __future__ import annotations

import numpy as np

from monitor.model.measurements import Floats
from monitor.statistics.pairing import Paired

BETS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""The sizes of drop that the evidence bets on."""
_CEILING = 700.0
"""Exponents beyond it would overflow, and no threshold is that high."""


def losses_by_cluster(paired: Paired, cluster_size: float) -> Floats:
    """The loss of each cluster: the baseline's sum less the candidate's, over the root of the mean cluster size.

    Raises ValueError if a difference is not a finite number.
    """
    losses: Floats = -paired.sum_by_cluster(paired.differences) / np.sqrt(cluster_size)
    if not np.isfinite(losses).all():
        raise ValueError("a difference is not a finite number")
    return losses


def evidence_of_drop(losses: Floats) -> Floats:
    """E after each cluster, in the order of the losses, shape (n_clusters,).

    Null hypothesis: the losses are symmetric about zero. E_n = mean over λ of Π exp(λx)/cosh(λx) is then a martingale
    that starts at 1, so that it ever reaches 1/α with probability α at most, however often one looks. It can only
    establish a drop: evidence that does not reach 1/α is no evidence of safety.

    References
    ----------
    Howard et al. 2021, lemma 3 (symmetric observations); Ramdas et al. 2020 (arXiv 2009.03167).

    Examples
    --------
    >>> evidence_of_drop(np.ones(6)).round(1).tolist()
    [1.7, 2.9, 5.2, 9.5, 17.6, 32.9]
    """
    angle = np.outer(losses, BETS)
    # log(exp(λx)/cosh(λx)), without overflowing
    growth = angle - np.logaddexp(angle, -angle) + np.log(2.0)
    evidence: Floats = np.exp(np.minimum(growth.cumsum(axis=0), _CEILING)).mean(axis=1)
    return evidence
