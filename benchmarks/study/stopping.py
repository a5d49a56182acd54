"""Sequential probing at a swap: false stops, and the queries that it needs, singly and by clusters (§3.5)."""

from __future__ import annotations

import numpy as np

from benchmarks.study.early_stopping import stop_early
from benchmarks.study.generator import paired, swap
from benchmarks.study.table import Table, percent

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
        "No cycle of recallwatch stops early yet.",
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
        stopped_at = stop_early(sample, alpha=ALPHA, rng=rng).stopped_at
        results.append(np.inf if stopped_at is None else (stopped_at + 1) * size)
    return np.array(results)


def _median(stops: np.ndarray) -> str:
    median = float(np.median(stops))
    return f"{median:,.0f}" if np.isfinite(median) else f"more than {N_QUERIES:,}"
