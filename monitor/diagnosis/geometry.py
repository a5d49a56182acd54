"""Measures of an embedding space and of the change between two spaces.

Vectors are rows; their length does not matter. Two spaces are compared by the same texts in the same order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from monitor.model.measurements import Floats


def overlap(before: Sequence[str], after: Sequence[str], k: int) -> float:
    """Share of the first ``k`` of one ranking that is among the first ``k`` of the other, in [0, 1].

    It is 1 for two empty rankings.

    Examples
    --------
    >>> overlap(["a", "b", "c"], ["b", "a", "d"], k=2)
    1.0
    >>> overlap(["a", "b", "c"], ["b", "a", "d"], k=3)
    0.6666666666666666
    """
    first, second = set(before[:k]), set(after[:k])
    longest = max(len(first), len(second))
    return len(first & second) / longest if longest else 1.0


def rank_biased_overlap(before: Sequence[str], after: Sequence[str], p: float = 0.9) -> float:
    """Extrapolated rank-biased overlap of two rankings, in [0, 1]: a mean agreement that weights the top most.

    The weight of depth d is (1 - p) p^(d-1); the agreement beyond the rankings is extrapolated from their ends. It is 1
    for two empty rankings and 0 for an empty and another one. A ranking must not repeat a document.

    Raises ValueError unless 0 < ``p`` < 1.

    References
    ----------
    Webber, Moffat & Zobel 2010, A similarity measure for indefinite rankings, equation 32.

    Examples
    --------
    >>> rank_biased_overlap(["a", "b"], ["a", "b"])
    1.0
    >>> round(rank_biased_overlap(["a", "b"], ["b", "a"], p=0.5), 12)  # agreement 0, then always 1: p
    0.5
    """
    if not 0 < p < 1:
        raise ValueError(f"p is {p}, not between 0 and 1")
    short, long = sorted((list(before), list(after)), key=len)
    if not short:
        return float(not long)
    shared = _shared_at(short, long)
    s, n = len(short), len(long)
    agreement = sum(shared[d - 1] / d * p**d for d in range(1, n + 1))
    beyond_short = sum(shared[s - 1] * (d - s) / (s * d) * p**d for d in range(s + 1, n + 1))
    at_end = (shared[n - 1] - shared[s - 1]) / n + shared[s - 1] / s
    return (1 - p) / p * (agreement + beyond_short) + at_end * p**n


def _shared_at(short: Sequence[str], long: Sequence[str]) -> list[int]:
    """Number of shared documents at each depth of the longer ranking."""
    counts: list[int] = []
    first, second = set[str](), set[str]()
    for depth, doc_id in enumerate(long):
        first.add(doc_id)
        second.update(short[depth : depth + 1])
        counts.append(len(first & second))
    return counts


class Interval(NamedTuple):
    """An estimate with its 95 % interval."""

    value: float
    lower: float
    upper: float


UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))
FEWEST_TEXTS = 8
"""With fewer texts, the jackknife of an alignment is not stable."""


def kernel_alignment(before: Floats, after: Floats) -> float:
    """Debiased linear centred kernel alignment (CKA) of two spaces, at most 1; about 0 for unrelated spaces.

    1 if they differ by rotation and scale only. Without the correction, a few texts in many dimensions are nearly
    orthogonal in every space, so that unrelated spaces seem to be aligned. ``before`` and ``after`` have shape
    (n_texts, d) with any d each. NaN for fewer than four texts, or if all vectors of a space are equal.

    References
    ----------
    Song et al. 2012, Feature selection via dependence maximization, equation 5; Murphy, Zylberberg & Fyshe 2024,
    Correcting biased centered kernel alignment measures (arXiv 2405.01012).

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.5], [0.3, -1.0]])
    >>> round(kernel_alignment(x, 3 * x @ np.array([[0.0, 1.0], [-1.0, 0.0]])), 12)
    1.0
    """
    return _alignment(before @ before.T, after @ after.T)


def kernel_alignment_interval(before: Floats, after: Floats) -> Interval:
    """The debiased alignment with its 95 % jackknife interval; unknown for fewer than `FEWEST_TEXTS` texts.

    References
    ----------
    Efron & Stein 1981, The jackknife estimate of variance.
    """
    n = len(before)
    if n < FEWEST_TEXTS:
        return UNKNOWN
    kernels = before @ before.T, after @ after.T
    value = kernel_alignment(before, after)
    other_texts = ~np.eye(n, dtype=bool)
    left_out = np.array([_alignment(*(kernel[np.ix_(rows, rows)] for kernel in kernels)) for rows in other_texts])
    half = 1.96 * float(np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()))
    return Interval(value, value - half, min(value + half, 1.0))


def _alignment(first: Floats, second: Floats) -> float:
    """The debiased alignment from two kernels, shape (n_texts, n_texts)."""
    if len(first) < 4:
        return float("nan")
    own = _dependence(first, first) * _dependence(second, second)
    return _dependence(first, second) / float(np.sqrt(own)) if own > 0 else float("nan")


def _dependence(first: Floats, second: Floats) -> float:
    """Unbiased estimator of the Hilbert-Schmidt independence criterion."""
    n = len(first)
    k, l = (each - np.diag(np.diag(each)) for each in (first, second))  # noqa: E741 - the letters of the reference
    product = float((k * l).sum())
    sums = float(k.sum()) * float(l.sum()) / ((n - 1) * (n - 2))
    rows = 2 / (n - 2) * float(k.sum(axis=0) @ l.sum(axis=0))
    return (product + sums - rows) / (n * (n - 3))


def procrustes_distance(before: Floats, after: Floats) -> float:
    """Distance of two centred spaces up to rotation and scale, in [0, 1]; 0 if they differ by these only.

    The share of the variance that no rotation explains: 1 - (sum of the singular values of XᵀY)² / (|X|² |Y|²). The
    space with fewer dimensions is padded with zeros. NaN for fewer than two texts, or if all vectors of a space are
    equal.

    References
    ----------
    Schönemann 1966, A generalized solution of the orthogonal Procrustes problem; Gower 1975.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.5]])
    >>> round(abs(procrustes_distance(x, x @ np.array([[0.0, 1.0], [-1.0, 0.0]]))), 12)
    0.0
    """
    if len(before) < 2:
        return float("nan")
    x, y = (each - each.mean(axis=0) for each in (before, after))
    own = float((x**2).sum() * (y**2).sum())
    # Padding with zeros does not change the singular values of XᵀY.
    return max(0.0, 1.0 - float(np.linalg.svd(x.T @ y, compute_uv=False).sum()) ** 2 / own) if own > 0 else float("nan")


def effective_rank(vectors: Floats) -> float:
    """Number of dimensions that the vectors use, from 1 to the smaller of their number and dimension.

    The exponential of the entropy of the singular values, divided by their sum. NaN if all are zero.

    References
    ----------
    Roy & Vetterli 2007, The effective rank: a measure of effective dimensionality, definition 1.

    Examples
    --------
    >>> round(effective_rank(np.eye(3)), 12)
    3.0
    >>> round(effective_rank(np.ones((3, 3))), 12)
    1.0
    """
    values = np.linalg.svd(vectors, compute_uv=False)
    shares = values[values > 0] / values.sum() if values.sum() > 0 else values[:0]
    return float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else float("nan")


def anisotropy(vectors: Floats) -> float:
    """Mean cosine of all pairs of different vectors, in [-1, 1]; near 0 if they point in all directions.

    NaN for fewer than two vectors.

    References
    ----------
    Ethayarajh 2019, How contextual are contextualized word representations? (arXiv 1909.00512), section 3.3.

    Examples
    --------
    >>> anisotropy(np.array([[1.0, 0.0], [0.0, 2.0]]))
    0.0
    """
    n = len(vectors)
    if n < 2:
        return float("nan")
    units = unit(vectors)
    return float(((units.sum(axis=0) ** 2).sum() - (units**2).sum()) / (n * (n - 1)))


def hubness(rankings: Sequence[Sequence[str]], n_documents: int, k: int) -> float:
    """Skewness of the number of rankings with each document in the first ``k``; large if a few documents are in many.

    ``n_documents`` includes documents in no ranking. NaN if all documents are in equally many rankings.

    Raises ValueError if the rankings contain more than ``n_documents`` documents.

    References
    ----------
    Radovanović, Nanopoulos & Ivanović 2010, Hubs in space, JMLR 11, equation 1.

    Examples
    --------
    >>> round(hubness([["a", "b"], ["a", "c"], ["a", "d"]], n_documents=4, k=2), 6)
    1.154701
    """
    counts = Counter(doc_id for ranking in rankings for doc_id in ranking[:k])
    if len(counts) > n_documents:
        raise ValueError(f"the rankings contain {len(counts)} documents, more than n_documents, which is {n_documents}")
    occurrences = np.zeros(n_documents)
    occurrences[: len(counts)] = list(counts.values())
    if not n_documents or occurrences.std() == 0:
        return float("nan")
    return float((((occurrences - occurrences.mean()) / occurrences.std()) ** 3).mean())


def margins(queries: Floats, satisfying: Floats, violating: Floats, phenomena: Sequence[str]) -> dict[str, float]:
    """Mean cosine of query and satisfying document minus that of query and violating document, by phenomenon.

    Row i of each array and ``phenomena[i]`` belong to pair i. Values are in [-2, 2]; above 0, the satisfying document
    is closer.

    Examples
    --------
    >>> x = np.eye(2)
    >>> margins(x, x, x[::-1], ["negation", "number"])
    {'negation': 1.0, 'number': 1.0}
    """
    differences = cosines(queries, satisfying) - cosines(queries, violating)
    return by_phenomenon(differences, phenomena)


def by_phenomenon(values: Floats, phenomena: Sequence[str]) -> dict[str, float]:
    """The mean of each phenomenon, in order of first appearance.

    Examples
    --------
    >>> by_phenomenon(np.array([1.0, 0.0, 0.5]), ["number", "role", "number"])
    {'number': 0.75, 'role': 0.0}
    """
    names = np.asarray(phenomena)
    return {name: float(values[names == name].mean()) for name in dict.fromkeys(phenomena)}


def cosines(left: Floats, right: Floats) -> Floats:
    """The cosine of each pair of rows, shape (n,), in [-1, 1]; 0 if one of the rows is zero.

    Examples
    --------
    >>> cosines(np.array([[2.0, 0.0]]), np.array([[1.0, 1.0]])).round(6).tolist()
    [0.707107]
    """
    return np.asarray((unit(left) * unit(right)).sum(axis=1), np.float64)


def unit(vectors: Floats) -> Floats:
    """The vectors scaled to unit length; a zero vector stays zero.

    Examples
    --------
    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0), np.float64)


def mean_over(values: Mapping[str, float]) -> float:
    """The unweighted mean over the phenomena; NaN without any.

    Examples
    --------
    >>> mean_over({"number": 0.5, "role": 0.0})
    0.25
    """
    return float(np.mean(list(values.values()))) if values else float("nan")
