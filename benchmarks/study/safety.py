"""How often swaps are called safe: the axis test, the guard over strata, and both together (§3.3).

``python -m benchmarks.study.safety [--write]`` computes this section alone.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import numpy as np
from scipy import stats

from benchmarks.study.generator import RECALL, Swap, paired, swap
from benchmarks.study.passed import real_differences, simulated_differences
from benchmarks.study.section import write_section
from benchmarks.study.strata import stratum_of
from benchmarks.study.table import Table, markdown, percent
from monitor.statistics.exact_p_values import sign_flip_p
from monitor.statistics.non_inferiority import absolute_non_inferiority, relative_non_inferiority
from monitor.statistics.pairing import Paired

ALPHA, MARGIN = 0.05, 0.05
BASELINE = 0.36
"""Mean of a hit that is found or not: with it the specification's 40 % for the plain t test come out."""
METHODS = ("plain t", "one query lost", "mean cluster lost", "recallwatch")
SIZES = (50, 200, 1_000)
THEIRS = {50: "40 % · 0 %", 200: "12 % · 2.4 %", 1_000: "9 % · 5.1 %"}
SCENARIOS = (*((1, size) for size in SIZES), *((5, size) for size in SIZES), (20, 200), (20, 1_000), (20, 5_000))
"""Queries in a cluster, and queries."""
SEPARATION_MARGIN = 0.10


def safety(repetitions: int, seed: int) -> Iterator[Table]:
    """Losses on the margin that the axis test calls safe, then the shares that axis and guard call safe."""
    yield _falsely_safe(repetitions, seed)
    yield _separation(max(repetitions // 4, 2), seed)
    yield from simulated_differences(max(repetitions // 20, 2), seed)
    yield real_differences(max(repetitions // 40, 2), seed)


def passing(repetitions: int, seed: int) -> Table:
    """How often a benign swap passes, and how often “no significant drop” would call a true loss safe."""
    rows = []
    for n_queries in (*SIZES, 5_000):
        shares = []
        for drop in (0.0, 0.02, MARGIN):
            rng = np.random.default_rng(seed)
            drawn = [paired(swap((1, n_queries), rng, drop=drop)) for _ in range(repetitions)]
            shares.append(np.mean([_p_not_safe(each) <= ALPHA for each in drawn]))
        silent = np.mean([sign_flip_p(-each.differences) > ALPHA for each in drawn])
        rows.append([f"{n_queries:,}", *(percent(float(share)) for share in (*shares, silent))])
    return Table(
        "Safe, and merely not significant (§3.3)",
        f"{RECALL}, margin {MARGIN:.0%}: the share called safe by true loss, and the share in which a loss of 5 % is "
        "“not significant”, which others call safe. Specification: 38 % of the latter at n = 200.",
        ("queries", "safe at no loss", "safe at −2 %", "safe at −5 %", "−5 % not significant"),
        rows,
        seed,
        repetitions,
    )


def passing_clusters(repetitions: int, seed: int) -> Table:
    """How often a benign swap passes where queries come in clusters, with either pseudo-cluster."""
    rows = []
    for size, n_queries in SCENARIOS[3:]:
        rng = np.random.default_rng(seed)
        drawn = (swap((1, n_queries), rng, cluster_size=size, shared=0.14) for _ in range(repetitions))
        shares = np.mean([_called_safe(paired(each, cluster_size=size)) for each in drawn], axis=0)
        rows.append([f"{n_queries // size} of {size}", *(percent(float(share)) for share in shares)])
    return Table(
        "Safe at no loss, in clusters (§3.3)",
        f"{RECALL}, margin {MARGIN:.0%}, a benign swap, an intra-cluster correlation of 0.12: the share called safe, "
        "which is the power of the tests in the first table.",
        ("clusters", *METHODS),
        rows,
        seed,
        repetitions,
    )


def _falsely_safe(repetitions: int, seed: int) -> Table:
    """Falsely safe: plain t, with the pseudo-cluster, and with a pseudo-cluster as large as the others."""
    rows = []
    for size, n_queries in SCENARIOS:
        rng = np.random.default_rng(seed)
        shares = np.mean([_called_safe(_rare_losses(n_queries, size, rng)) for _ in range(repetitions)], axis=0)
        theirs = THEIRS[n_queries] if size == 1 else "not simulated"
        rows.append([f"{n_queries // size} of {size}", *(percent(float(share)) for share in shares), theirs])
    return Table(
        "Falsely safe (§3.3)",
        f"A true loss of exactly the margin ({MARGIN:.0%}) in rare total losses: with probability {MARGIN:.0%} a whole "
        f"cluster scores nothing any more. The measure is a hit with mean {BASELINE}. Share called safe at 5 %: "
        "by a t test of cluster sums alone; with a worst-case pseudo-cluster of one query, as in the specification; "
        "with one that lost the mean baseline sum of a cluster; and by recallwatch (`relative_non_inferiority`, which "
        "tests nothing below 12 clusters).",
        ("clusters", *METHODS, "specification: t · one query"),
        rows,
        seed,
        repetitions,
        after="A pseudo-cluster of one query is no worst case where whole clusters are lost together: one as large as "
        "the clusters is needed. The tables of benign swaps show its price.",
    )


def _separation(repetitions: int, seed: int) -> Table:
    """Falsely safe and passed, with pseudo-clusters that fall less or more."""
    rows = []
    for n_clusters in (100, 200, 700):
        rng = np.random.default_rng(seed)
        drawn = [(_separated(n_clusters, rng, loss=True), _separated(n_clusters, rng)) for _ in range(repetitions)]
        cells = []
        for lowest in (None, -3.0, -5.5):
            shares = np.mean([[_separation_safe(each, lowest) for each in pair] for pair in drawn], axis=0)
            cells.append(" · ".join(percent(float(share)) for share in shares))
        rows.append([f"{n_clusters}", *cells])
    return Table(
        "Separation: falsely safe, and passed (§3.3)",
        f"Pairs of queries; separation has mean 0.5 and standard deviation 1, within ±3, margin {SEPARATION_MARGIN}. "
        "Falsely safe: rare clusters fall to −3, a true loss of exactly the margin. Passed: every query moves by 0.4, "
        "the mean does not. By a t test alone; with a pseudo-cluster that falls from the mean to −3, as recallwatch "
        "has it (`absolute_non_inferiority`); with one that falls over the whole range, by 6.",
        ("clusters", "plain t", "recallwatch", "whole range"),
        rows,
        seed,
        repetitions,
    )


def _separated(n_clusters: int, rng: np.random.Generator, *, loss: bool = False) -> Paired:
    before = np.clip(rng.normal(0.5, 1.0, (n_clusters, 2)), -3.0, 3.0)
    after = np.clip(before + rng.normal(0.0, 0.0 if loss else 0.4, before.shape), -3.0, 3.0)
    lost = rng.random(n_clusters) < (SEPARATION_MARGIN / 3.5 if loss else 0.0)
    after = np.where(lost[:, None], -3.0, after)
    return stratum_of("pairs", "separation", before.ravel(), after.ravel(), np.repeat(np.arange(n_clusters), 2))


def _separation_safe(drawn: Paired, lowest: float | None) -> bool:
    if lowest is None:
        return _plain_t(drawn, drawn.differences + SEPARATION_MARGIN) <= ALPHA
    result = absolute_non_inferiority(drawn, margin=SEPARATION_MARGIN, lowest=lowest)
    return result is not None and result.p_value <= ALPHA


def _rare_losses(n_queries: int, size: int, rng: np.random.Generator) -> Paired:
    baseline = (rng.random((1, n_queries)) < BASELINE).astype(np.float64)
    lost = (rng.random((1, n_queries // size)) < MARGIN).repeat(size, axis=1)
    return paired(Swap(baseline, np.where(lost, 0.0, baseline)), cluster_size=size)


def _called_safe(drawn: Paired) -> list[bool]:
    size = drawn.n_queries / drawn.n_clusters
    return [
        _plain_t(drawn, drawn.candidate - (1 - MARGIN) * drawn.baseline) <= ALPHA,
        _with_lost(drawn, 1.0, 1.0) <= ALPHA,
        _with_lost(drawn, max(float(drawn.baseline.mean()) * size, 1.0), size) <= ALPHA,
        _p_not_safe(drawn) <= ALPHA,
    ]


def _p_not_safe(drawn: Paired) -> float:
    result = relative_non_inferiority(drawn, margin=MARGIN)
    return result.p_value if result else math.nan


def _plain_t(drawn: Paired, values: np.ndarray) -> float:
    sums = drawn.sum_by_cluster(values)
    error = sums.std(ddof=1) / np.sqrt(len(sums))
    return float(stats.t.sf(sums.mean() / error, len(sums) - 1)) if error > 0 else float(sums.mean() <= 0)


def _with_lost(drawn: Paired, before: float, queries: float) -> float:
    """The test with a pseudo-cluster of so many queries that had the baseline sum ``before`` and lost it all."""
    kept = 1.0 - MARGIN
    sums = np.append(drawn.sum_by_cluster(drawn.candidate - kept * drawn.baseline), -kept * before)
    sizes = np.append(drawn.sum_by_cluster(np.ones(drawn.n_queries)), queries)
    mean, count = sums.sum() / sizes.sum(), len(sums)
    error = np.sqrt(count / (count - 1) * ((sums - sizes * mean) ** 2).sum()) / sizes.sum()
    return float(stats.t.sf(mean / error, count - 1)) if error > 0 else float(mean <= 0)


def main() -> None:
    """Compute the section; with ``--write`` put it in its place on the page."""
    from benchmarks.study.tables import SEED, TABLES

    tables = [
        *safety(TABLES["safety.safety"][0], SEED),
        passing(TABLES["safety.passing"][0], SEED),
        passing_clusters(TABLES["safety.passing_clusters"][0], SEED),
    ]
    if "--write" in sys.argv[1:]:
        write_section(tables, mark="§3.3")
    print("\n".join(map(markdown, tables)))


if __name__ == "__main__":
    main()
