"""Upper bounds of rank measures: the highest value that any judgement of the unjudged hits could give.

A hit that turns out to be relevant joins the relevant documents of its query, with the highest grade of the query.
Documents that were not retrieved keep their judgement. (Residuals as in Moffat & Zobel 2008, for normalised measures.)

Every function takes the relevance of n queries and ``unjudged``, shape (n_queries, depth): True where a position holds
an unjudged hit. It returns an array of shape (n_queries,) in [0, 1]. The depth is ``k``, or that of the longest
ranking for a measure without a cutoff.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from monitor.evaluation.retrieval import (
    Flags,
    Relevance,
    average_precision,
    mrr,
    ndcg,
    precision,
    r_precision,
    ratio,
    recall,
    success,
)
from monitor.model.measurements import Floats


def upper_recall(relevance: Relevance, unjudged: Flags, k: int) -> Floats:
    """Recall with every unjudged hit relevant: retrieved and relevant documents grow by the same number."""
    added = unjudged.sum(1).astype(np.float64)
    retrieved = recall(relevance, k) * relevance.n_relevant + added
    return ratio(retrieved, relevance.n_relevant + added)


def upper_precision(relevance: Relevance, unjudged: Flags, k: int) -> Floats:
    """Precision with every unjudged hit relevant."""
    upper: Floats = precision(relevance, k) + unjudged.sum(1) / k
    return upper


def upper_success(relevance: Relevance, unjudged: Flags, k: int) -> Floats:
    """Success with every unjudged hit relevant."""
    return np.maximum(success(relevance, k), unjudged.any(1).astype(np.float64))


def upper_mrr(relevance: Relevance, unjudged: Flags, k: int) -> Floats:
    """Reciprocal rank with every unjudged hit relevant."""
    ranks = np.arange(1, unjudged.shape[1] + 1)
    first: Floats = np.max(unjudged / ranks, axis=1, initial=0.0)
    return np.maximum(mrr(relevance, k), first)


def upper_ndcg(relevance: Relevance, unjudged: Flags, k: int) -> Floats:
    """The highest nDCG that any judgement of the unjudged hits could give.

    It is not always reached with all of them relevant: a late hit can add more to the ideal than to the gain. Of any
    number of them the first ones are worth most, so there are only as many cases as there are unjudged hits.
    """
    n_queries, width = unjudged.shape
    discounts = 1.0 / np.log2(np.arange(k) + 2.0)
    grade = np.zeros(n_queries)
    np.maximum.at(grade, relevance.ideal_query, relevance.ideal_gain)
    within = relevance.position < k
    gained = np.bincount(
        relevance.query[within],
        relevance.gain[within] * discounts[relevance.position[within]],
        minlength=n_queries,
    )
    added = np.cumsum(unjudged * discounts[:width] * grade[:, None], axis=1)
    count = np.cumsum(unjudged, axis=1)
    best = ndcg(relevance, k)
    for n_added in range(1, width + 1):
        place = relevance.ideal_position + n_added
        fits = place < k
        worth = relevance.ideal_gain[fits] * discounts[place[fits]]
        ideal = np.bincount(relevance.ideal_query[fits], worth, minlength=n_queries).astype(np.float64)
        ideal += grade * discounts[:n_added].sum()
        last = np.argmax(count >= n_added, axis=1)
        gain = gained + added[np.arange(n_queries), last]
        possible = count[:, -1] >= n_added
        best = np.maximum(best, np.where(possible, ratio(gain, ideal), 0.0))
    return best


def upper_average_precision(relevance: Relevance, unjudged: Flags) -> Floats:
    """The highest average precision that any judgement of the unjudged hits could give.

    Of any number of unjudged hits, the first ones are worth most.
    """
    best = average_precision(relevance)
    ranks = np.arange(1, unjudged.shape[1] + 1)
    for n_added, relevant in _cases(relevance, unjudged):
        total = (relevant * np.cumsum(relevant, axis=1) / ranks).sum(1)
        best = np.maximum(best, ratio(total, relevance.n_relevant + n_added))
    return best


def upper_r_precision(relevance: Relevance, unjudged: Flags) -> Floats:
    """The highest R-precision that any judgement of the unjudged hits could give.

    Of any number of unjudged hits, the first ones are worth most.
    """
    best = r_precision(relevance)
    positions = np.arange(unjudged.shape[1])
    for n_added, relevant in _cases(relevance, unjudged):
        n_relevant = relevance.n_relevant + n_added
        within = relevant & (positions < n_relevant[:, None])
        best = np.maximum(best, ratio(within.sum(1).astype(np.float64), n_relevant))
    return best


def _cases(relevance: Relevance, unjudged: Flags) -> Iterator[tuple[int, Flags]]:
    """For each number of added relevant documents, the relevant positions if the first unjudged hits are relevant."""
    relevant = np.zeros_like(unjudged)
    relevant[relevance.query, relevance.position] = True
    count = np.cumsum(unjudged, axis=1)
    for n_added in range(1, int(unjudged.sum(1).max(initial=0)) + 1):
        yield n_added, relevant | (unjudged & (count <= n_added))
