"""Rank measures, equal to trec_eval to 1e-12, computed from the positions of the relevant documents.

A ranking of a hundred documents holds one or two relevant ones. Their positions are looked up once, and every measure
is a sum over them. Rank is position: no ranking is sorted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.errors import ComparisonError
from monitor.evaluation import measures
from monitor.evaluation.passages.labels import Resolved
from monitor.model.measurements import Floats
from monitor.model.measures import Needs

Integers = NDArray[np.intp]
Flags = NDArray[np.bool_]

Ranked = Sequence[str] | Resolved
"""Document ids in rank order, or a ranking over judged passages."""
Judged = tuple[Ranked, Mapping[str, int]]
"""A ranking with the grades of its query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relevance:
    """Positions of the relevant documents of ``n_queries`` queries, in the rankings and in the ideal order.

    ``query``, ``position`` and ``gain`` have one entry for each relevant document that was retrieved
    (position 0 is rank 1); the ``ideal_*`` arrays have one for each relevant document of the query.
    """

    n_queries: int
    query: Integers
    position: Integers
    gain: Floats
    ideal_query: Integers
    ideal_position: Integers
    ideal_gain: Floats
    rankings: tuple[Judged, ...] = ()
    """The rankings with their grades, for measures that also count irrelevant and unjudged hits."""

    @property
    def n_relevant(self) -> Floats:
        """Relevant documents of each query, shape (n_queries,)."""
        return _sum_by_query(self.ideal_query, None, self.n_queries)


def locate(rankings: Iterable[Judged]) -> Relevance:
    """Positions of the relevant documents in rankings, given as (document ids, grades) for each query.

    A grade above 0 is relevant. If a ranking repeats a document, its first position counts.

    Examples
    --------
    >>> locate([(["a", "b", "c"], {"c": 1, "x": 2})]).position.tolist()
    [2]
    """
    rankings = tuple(rankings)
    retrieved: list[int] = []
    ideal: list[int] = []
    for number, (ranked, grades) in enumerate(rankings):
        ordered = grades if len(grades) == 1 else sorted(grades, key=grades.__getitem__, reverse=True)
        for place, doc_id in enumerate(ordered):
            grade = grades[doc_id]
            if grade <= 0:
                break
            ideal += (number, place, grade)
            # Testing membership first would scan the ranking twice.
            try:
                retrieved += (number, ranked.index(doc_id), grade)
            except ValueError:
                continue
    query, position, gain = _columns(retrieved)
    # Summed in the order of ranks, equally relevant documents that change places leave no trace in the last digit.
    by_rank = np.argsort(query * (position.max(initial=0) + 1) + position, kind="stable")
    ideal_query, ideal_position, ideal_gain = _columns(ideal)
    return Relevance(
        n_queries=len(rankings),
        query=query[by_rank],
        position=position[by_rank],
        gain=gain[by_rank],
        ideal_query=ideal_query,
        ideal_position=ideal_position,
        ideal_gain=ideal_gain,
        rankings=rankings,
    )


def recall(relevance: Relevance, k: int) -> Floats:
    """Share of a query's relevant documents among its first ``k`` hits; 0 if it has none.

    Returns an array of shape (n_queries,) in [0, 1]; trec_eval calls it ``recall_k``.

    Examples
    --------
    >>> recall(locate([(["a", "b"], {"a": 1, "x": 1})]), k=2).tolist()
    [0.5]
    """
    return ratio(_relevant_within(relevance, k), relevance.n_relevant)


def precision(relevance: Relevance, k: int) -> Floats:
    """Share of the first ``k`` hits that are relevant; ranks that a short ranking leaves empty count as irrelevant.

    Returns an array of shape (n_queries,) in [0, 1]; trec_eval calls it ``P_k``.

    Examples
    --------
    >>> precision(locate([(["a", "b"], {"a": 1, "x": 1})]), k=4).tolist()
    [0.25]
    """
    return _relevant_within(relevance, k) / k


def success(relevance: Relevance, k: int) -> Floats:
    """1 where a relevant document is among the first ``k`` hits, else 0; trec_eval's ``success_k``.

    Returns an array of shape (n_queries,).

    Examples
    --------
    >>> success(locate([(["a", "b"], {"b": 1}), (["a"], {"b": 1})]), k=2).tolist()
    [1.0, 0.0]
    """
    return (_relevant_within(relevance, k) > 0).astype(np.float64)


def mrr(relevance: Relevance, k: int) -> Floats:
    """One over the rank of the first relevant document, 0 beyond rank ``k``; ir_measures' ``RR@k``.

    Returns an array of shape (n_queries,) in [0, 1].

    Examples
    --------
    >>> mrr(locate([(["a", "b", "c", "d"], {"d": 1})]), k=10).tolist()
    [0.25]
    """
    best = np.zeros(relevance.n_queries)
    within = relevance.position < k
    np.maximum.at(best, relevance.query[within], 1.0 / (relevance.position[within] + 1.0))
    return best


def ndcg(relevance: Relevance, k: int) -> Floats:
    """Discounted gain of the first ``k`` hits over that of the best possible order; 0 without relevant documents.

    Returns an array of shape (n_queries,) in [0, 1]. The gain of a document is its grade (linear, as in trec_eval's
    ``ndcg_cut_k``), the discount at rank r is log2(r + 1).

    References
    ----------
    Järvelin & Kekäläinen 2002, with the discount of Burges et al. 2005.

    Examples
    --------
    One of five relevant documents retrieved, at rank 1:

    >>> round(float(ndcg(locate([(["a"], dict.fromkeys("abcde", 1))]), k=5)[0]), 3)
    0.339
    """
    gained = _discounted(relevance.query, relevance.position, relevance.gain, k, relevance.n_queries)
    ideal = _discounted(relevance.ideal_query, relevance.ideal_position, relevance.ideal_gain, k, relevance.n_queries)
    return ratio(gained, ideal)


def average_precision(relevance: Relevance) -> Floats:
    """Mean, over a query's relevant documents, of the precision at the rank of each; 0 for those not retrieved.

    Returns an array of shape (n_queries,) in [0, 1], over the whole ranking; trec_eval calls it ``map``.

    Examples
    --------
    Relevant at ranks 1 and 4, a third one not retrieved: (1/1 + 2/4) / 3.

    >>> average_precision(locate([("abcd", {"a": 1, "d": 1, "x": 1})])).tolist()
    [0.5]
    """
    starts = np.searchsorted(relevance.query, relevance.query, side="left")
    n_above = np.arange(len(relevance.query)) - starts + 1.0
    total = _sum_by_query(relevance.query, n_above / (relevance.position + 1.0), relevance.n_queries)
    return ratio(total, relevance.n_relevant)


def r_precision(relevance: Relevance) -> Floats:
    """Share of the first R hits that are relevant, where R is the number of the query's relevant documents.

    Returns an array of shape (n_queries,) in [0, 1]; 0 without relevant documents. trec_eval calls it ``Rprec``.

    Examples
    --------
    >>> r_precision(locate([("abcd", {"a": 1, "d": 1})])).tolist()
    [0.5]
    """
    within = relevance.position < relevance.n_relevant[relevance.query]
    return ratio(_sum_by_query(relevance.query[within], None, relevance.n_queries), relevance.n_relevant)


def judged(relevance: Relevance, k: int) -> Floats:
    """Share of the first ``k`` hits with a judgement of any grade; of all hits where there are fewer, 0 without hits.

    Returns an array of shape (n_queries,) in [0, 1]; ir_measures calls it ``Judged@k``.

    Examples
    --------
    >>> judged(locate([("ab", {"a": 0, "x": 1})]), k=10).tolist()
    [0.5]
    """
    flags = [judged_flags(ranked, grades, k) for ranked, grades in relevance.rankings]
    return np.array([sum(row) / len(row) if row else 0.0 for row in flags], np.float64)


def evaluate(relevance: Relevance, measure: str) -> Floats:
    """Values of a rank measure such as ``ndcg@10`` for every query, shape (n_queries,), in [0, 1].

    Raises ComparisonError if the measure is unknown or is not computed from rankings.
    """
    entry, k = measures.parse(measure)
    if entry.needs is not Needs.RANKINGS:
        raise ComparisonError(f"measure {measure!r} needs {entry.needs}, not rankings")
    function = measures.function(entry)
    values: Floats = function(relevance) if k is None else function(relevance, k)
    return values


def judged_flags(ranked: Ranked, grades: Mapping[str, int], k: int) -> list[bool]:
    """Whether each of the first ``k`` hits, or of all hits where there are fewer, carries a judgement."""
    if isinstance(ranked, Resolved):
        return [position in ranked.judged for position in range(min(k, ranked.n_positions))]
    return [doc_id in grades for doc_id in ranked[:k]]


def n_positions(ranked: Ranked) -> int:
    """Number of ranks in a ranking."""
    return ranked.n_positions if isinstance(ranked, Resolved) else len(ranked)


def ratio(part: Floats, whole: Floats) -> Floats:
    """Part over whole, element by element; 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _relevant_within(relevance: Relevance, k: int) -> Floats:
    return _sum_by_query(relevance.query[relevance.position < k], None, relevance.n_queries)


def _columns(flat: list[int]) -> tuple[Integers, Integers, Floats]:
    """Query, position and gain from a flat list that repeats them in turn."""
    rows = np.array(flat, np.intp).reshape(-1, 3)
    return rows[:, 0], rows[:, 1], rows[:, 2].astype(np.float64)


def _discounted(query: Integers, position: Integers, gain: Floats, k: int, n_queries: int) -> Floats:
    within = position < k
    return _sum_by_query(query[within], gain[within] / np.log2(position[within] + 2.0), n_queries)


def _sum_by_query(query: Integers, weights: Floats | None, n_queries: int) -> Floats:
    return np.bincount(query, weights, minlength=n_queries).astype(np.float64)
