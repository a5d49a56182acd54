"""When a gate stops asking: the drop is established, at an error level that holds however often one looks."""

from __future__ import annotations

import hashlib

import numpy as np

from monitor.decision.comparison import pair_all
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.suites import Query, Suite
from monitor.statistics.early_stopping import evidence_of_drop, losses_by_cluster
from monitor.statistics.pairing import OVERALL, Paired

FIRST_BATCH = 64
"""Queries before the first look; a later batch is a twentieth of the suite, if that is more."""


def batches(suite: Suite) -> list[list[Query]]:
    """The queries in batches, whole clusters and chains together, in an order that follows from the suite's digest."""
    groups: dict[str, list[Query]] = {}
    keys: dict[str, str] = {}
    for query in suite.queries:
        # A hop goes with the query that it follows.
        key = keys[query.query_id] = keys.get(query.follows, f"{query.stratum}\x1f{query.cluster}")
        groups.setdefault(key, []).append(query)
    seed = int.from_bytes(hashlib.sha256(suite.digest.encode()).digest()[:7])
    order = np.random.default_rng(seed).permutation(len(groups))
    size = max(FIRST_BATCH, len(suite.queries) // 20)
    result: list[list[Query]] = [[]]
    for group in (list(groups.values())[place] for place in order):
        if len(result[-1]) >= size:
            result.append([])
        result[-1] += group
    return result


def is_clear(baseline: Measured, candidate: Measured, policy: Policy, *, alpha: float) -> bool:
    """Whether one gating measure is established to have fallen.

    Each measure of each stratum is tested at ``alpha`` over their number, so that all together err with ``alpha``.
    """
    gating = [paired for paired in pair_all([(baseline, candidate)], policy) if paired.gating]
    return any(_evidence(paired, candidate.suite) >= len(gating) / alpha for paired in gating)


def _evidence(paired: Paired, suite: Suite) -> float:
    return float(evidence_of_drop(losses_by_cluster(paired, _cluster_size(suite, paired.stratum)))[-1])


def _cluster_size(suite: Suite, stratum: str) -> float:
    """Queries in a cluster on average, over the whole suite; it must not depend on the progress of the gate."""
    judged = [query for query in suite.queries if query.is_judged and stratum in (OVERALL, query.stratum)]
    return len(judged) / len({(query.stratum, query.cluster) for query in judged})
