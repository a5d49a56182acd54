"""Why not another test: levels of the methods that were rejected, and of tests that forget the clusters (§3.1)."""

from __future__ import annotations

import numpy as np
from scipy import stats

from benchmarks.study.generator import MRR, paired, swap
from benchmarks.study.table import Table, percent
from monitor.model.measurements import Floats
from monitor.statistics.exact_p_values import sign_flip_p
from monitor.statistics.significance import cluster_sums

ALPHA, BOOTSTRAPS = 0.05, 999
CLUSTERS = ((40, 5, 0.14, 0.12), (40, 10, 0.25, 0.20), (20, 50, 0.46, 0.33))
"""Clusters, queries in each, what they share of what differs, and the intra-cluster correlation that follows."""


def rejected(repetitions: int, seed: int) -> Table:
    """Levels at 5 % of tests on 50 queries, none of which is worse on average."""
    draws = {
        "MRR, a benign swap, n = 50": lambda rng: swap((1, 50), rng, measure=MRR).differences[0],
        "some lose 0.4, most gain 0.1, n = 50": lambda rng: _skewed(rng, 50, 0.2, -0.4),
        "some gain 0.4, most lose 0.1, n = 50": lambda rng: _skewed(rng, 50, 0.2, 0.4),
        "few lose 0.76, most gain 0.04, n = 50": lambda rng: _skewed(rng, 50, 0.05, -0.76),
        "few gain 0.76, most lose 0.04, n = 50": lambda rng: _skewed(rng, 50, 0.05, 0.76),
        "few gain 0.76, most lose 0.04, n = 500": lambda rng: _skewed(rng, 500, 0.05, 0.76),
    }
    rows = []
    for name, draw in draws.items():
        rng = np.random.default_rng(seed)
        rates = np.mean([_rejections(draw(rng), rng) for _ in range(repetitions)], axis=0)
        rows.append([name, *(percent(float(share)) for share in rates)])
    return Table(
        "Tests that were rejected (§3.1)",
        f"False alarms at 5 %, one-sided, {BOOTSTRAPS} bootstrap samples; the true mean difference is zero in every "
        "line. Specification: Wilcoxon 0.8–8.6 % where the null is asymmetric; percentile, BCa and bootstrap-t 6.5, "
        "8.9 and 8.3 % at n = 50.",
        ("", "sign-flip", "Student's t", "Wilcoxon", "percentile", "BCa", "bootstrap-t"),
        rows,
        seed,
        repetitions,
        after="The sign-flip test is exact where the differences are symmetric about zero. Where most queries lose a "
        "little and a few gain much, so that the mean does not move, it alarms too often on small samples, more "
        "often than Student's t: it sees that most queries lost. The error fades as the queries grow, and the effect "
        "floor stands behind it. Wilcoxon tests another hypothesis altogether, and the more queries the worse.",
    )


def clusters(repetitions: int, seed: int) -> Table:
    """Levels at 5 % of tests that ignore clusters, and of the sign-flip test that flips them whole."""
    rows = []
    for n_clusters, size, shared, _ in CLUSTERS:
        rng = np.random.default_rng(seed)
        by_cluster, by_query, by_t, correlation = [], [], [], []
        for _ in range(repetitions):
            sample = swap((1, n_clusters * size), rng, cluster_size=size, shared=shared)
            differences = sample.differences[0]
            by_cluster.append(sign_flip_p(-cluster_sums([paired(sample, cluster_size=size)])[:, 0]))
            by_query.append(sign_flip_p(-differences))
            by_t.append(stats.ttest_1samp(differences, 0.0, alternative="less").pvalue)
            correlation.append(_correlation(differences.reshape(n_clusters, size)))
        levels = [percent(float(np.mean(np.array(each) <= ALPHA))) for each in (by_cluster, by_query, by_t)]
        rows.append([f"{n_clusters} of {size}", f"{np.mean(correlation):.2f}", *levels])
    return Table(
        "Clusters (§3.1)",
        "False alarms at 5 %, one-sided, recall@10. Specification: 9–35 % where clusters are ignored at an "
        "intra-cluster correlation of 0.12–0.33; 4.4–6.0 % for the cluster sign-flip.",
        ("clusters", "correlation", "cluster sign-flip", "sign-flip per query", "t per query"),
        rows,
        seed,
        repetitions,
    )


def _skewed(rng: np.random.Generator, n_queries: int, share: float, jump: float) -> Floats:
    """Differences of mean zero: ``share`` of the queries jump, the others move a little the other way."""
    rest = -share * jump / (1 - share)
    return np.where(rng.random(n_queries) < share, jump, rest) + rng.normal(0.0, 0.02, n_queries)


def _rejections(differences: Floats, rng: np.random.Generator) -> list[bool]:
    mean, error = differences.mean(), differences.std(ddof=1) / np.sqrt(len(differences))
    sample = differences[rng.integers(0, len(differences), (BOOTSTRAPS, len(differences)))]
    means = sample.mean(axis=1)
    errors = sample.std(axis=1, ddof=1) / np.sqrt(len(differences))
    studentised = np.divide(means - mean, errors, out=np.zeros_like(means), where=errors > 0)
    return [
        sign_flip_p(-differences) <= ALPHA,
        stats.ttest_1samp(differences, 0.0, alternative="less").pvalue <= ALPHA,
        stats.wilcoxon(differences, alternative="less", method="approx").pvalue <= ALPHA,
        bool(np.quantile(means, 1 - ALPHA) < 0),
        bool(np.quantile(means, _bca(differences, means)) < 0),
        bool(mean - np.quantile(studentised, ALPHA) * error < 0),
    ]


def _bca(values: Floats, means: Floats) -> float:
    """The quantile that the bias-corrected and accelerated bootstrap takes for its upper bound (Efron 1987)."""
    below = np.clip((means < values.mean()).mean(), 0.5 / BOOTSTRAPS, 1 - 0.5 / BOOTSTRAPS)
    bias = stats.norm.ppf(below)
    left_out = (values.sum() - values) / (len(values) - 1)
    spread = left_out.mean() - left_out
    acceleration = (spread**3).sum() / (6 * (spread**2).sum() ** 1.5)
    reach = bias + stats.norm.ppf(1 - ALPHA)
    return float(stats.norm.cdf(bias + reach / (1 - acceleration * reach)))


def _correlation(by_cluster: Floats) -> float:
    """Intra-cluster correlation by one-way analysis of variance."""
    size = by_cluster.shape[1]
    between = size * by_cluster.mean(axis=1).var(ddof=1)
    within = by_cluster.var(axis=1, ddof=1).mean()
    return float((between - within) / (between + (size - 1) * within))
