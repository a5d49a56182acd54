"""Sequential probing at a swap: false stops, and the queries that it needs, singly and by clusters (§3.5)."""

from __future__ import annotations

import numpy as np

from benchmarks.study.generator import paired, swap
from benchmarks.study.table import Table, percent
from monitor.statistics.early_stopping import evidence_of_drop, losses_by_cluster

ALPHA, N_QUERIES = 0.05, 2_000
DROPS = {0.0: "null 3–4 %", 0.05: "322", 0.08: "127", 0.20: "26", 0.40: "13"}
KINDS = ((1, 0.0), (5, 0.14), (10, 0.46))


def stopping(repetitions: int, seed: int) -> Table:
    """Share that stopped, and the median number of queries at the stop."""
    rows = []
    for drop, their in DROPS.items():
        row = [f"−{drop:.0%}" if drop else "none"]
        for size, shared in KINDS:
            stops = _stops(drop, size, shared, repetitions, seed)
            row.append(percent(float(np.isfinite(stops).mean())) if not drop else _median(stops))
        rows.append([*row, their])
    return Table(
        "Sequential probing at a swap (§3.5)",
        f"recall@10, {N_QUERIES:,} queries at most, stop at E ≥ 1/{ALPHA:g}. First line: share of benign swaps that "
        "stop falsely. Other lines: median number of queries at the stop. By single queries, by clusters of five with "
        "an intra-cluster correlation of 0.12, and by clusters of ten with 0.33 (that form was not yet simulated). "
        "A gate of recallwatch stops by this evidence; a scheduled cycle asks every query.",
        ("true drop", "single queries", "clusters of 5", "clusters of 10", "specification"),
        rows,
        seed,
        repetitions,
    )


def _stops(drop: float, size: int, shared: float, repetitions: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    results = []
    for _ in range(repetitions):
        sample = paired(swap((1, N_QUERIES), rng, drop=drop, cluster_size=size, shared=shared), cluster_size=size)
        # In random order, because the order of a suite has a meaning.
        losses = rng.permutation(losses_by_cluster(sample, sample.n_queries / sample.n_clusters))
        reached = np.flatnonzero(evidence_of_drop(losses) >= 1 / ALPHA)
        results.append((reached[0] + 1) * size if len(reached) else np.inf)
    return np.array(results)


def _median(stops: np.ndarray) -> str:
    median = float(np.median(stops))
    return f"{median:,.0f}" if np.isfinite(median) else f"more than {N_QUERIES:,}"
