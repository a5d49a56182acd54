"""Rank measures, equal to trec_eval to 1e-12, computed from the side of the relevant documents.

A ranking of a hundred documents holds one or two relevant ones, so the positions of those are looked up
once and every measure is a sum over them. Rank is position: nothing is sorted here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.errors import ComparisonError
from monitor.model.measurements import Floats

Integers = NDArray[np.intp]


class Ranked(Protocol):
    """What tells the position of a document, or raises ValueError: a tuple of ids does."""

    def index(self, doc_id: str, /) -> int:
        """The first position of a document; 0 is rank 1."""
        ...


@dataclass(frozen=True, slots=True)
class Relevance:
    """Where the relevant documents of ``n_queries`` queries were found, and where they belong.

    ``query``, ``position`` and ``gain`` have one entry for each relevant document that was retrieved
    (position 0 is rank 1); the ``ideal_*`` arrays have one for each relevant document there is.
    """

    n_queries: int
    query: Integers
    position: Integers
    gain: Floats
    ideal_query: Integers
    ideal_position: Integers
    ideal_gain: Floats

    @property
    def n_relevant(self) -> Floats:
        """Relevant documents of each query, shape (n_queries,)."""
        return _sum_by_query(self.ideal_query, None, self.n_queries)


def locate(rankings: Iterable[tuple[Ranked, Mapping[str, int]]]) -> Relevance:
    """Positions of the relevant documents in rankings, given as (document ids, grades) for each query.

    A grade above 0 is relevant. If a ranking repeats a document, its first position counts.

    Examples
    --------
    >>> locate([(["a", "b", "c"], {"c": 1, "x": 2})]).position.tolist()
    [2]
    """
    found: list[int] = []
    ideal: list[int] = []
    n_queries = 0
    for doc_ids, grades in rankings:
        ordered = grades if len(grades) == 1 else sorted(grades, key=grades.__getitem__, reverse=True)
        place = 0
        for doc_id in ordered:
            grade = grades[doc_id]
            if grade <= 0:
                break
            ideal += (n_queries, place, grade)
            place += 1
            # Asking first whether the document is there would scan the ranking twice.
            try:
                found += (n_queries, doc_ids.index(doc_id), grade)
            except ValueError:
                continue
        n_queries += 1
    query, position, gain = _columns(found)
    # Summed in the order of ranks, equally relevant documents that change places leave no trace in the last digit.
    by_rank = np.argsort(query * (position.max(initial=0) + 1) + position, kind="stable")
    return Relevance(n_queries, query[by_rank], position[by_rank], gain[by_rank], *_columns(ideal))


def recall(relevance: Relevance, k: int) -> Floats:
    """Share of a query's relevant documents among its first ``k`` hits; 0 if it has none.

    Returns an array of shape (n_queries,) in [0, 1]; trec_eval calls it ``recall_k``.

    Examples
    --------
    >>> recall(locate([(["a", "b"], {"a": 1, "x": 1})]), k=2).tolist()
    [0.5]
    """
    found = _sum_by_query(relevance.query[relevance.position < k], None, relevance.n_queries)
    n_relevant = relevance.n_relevant
    return np.divide(found, n_relevant, out=np.zeros_like(found), where=n_relevant > 0)


def success(relevance: Relevance, k: int) -> Floats:
    """1 where a relevant document is among the first ``k`` hits, else 0; trec_eval's ``success_k``.

    Examples
    --------
    >>> success(locate([(["a", "b"], {"b": 1}), (["a"], {"b": 1})]), k=2).tolist()
    [1.0, 0.0]
    """
    found = _sum_by_query(relevance.query[relevance.position < k], None, relevance.n_queries)
    return (found > 0).astype(np.float64)


def mrr(relevance: Relevance, k: int) -> Floats:
    """One over the rank of the first relevant document, 0 beyond rank ``k``; ir_measures' ``RR@k``.

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
    """Discounted gain of the first ``k`` hits over that of the best possible order.

    The gain of a document is its grade (linear, as in trec_eval's ``ndcg_cut_k``), the discount at rank r
    is log2(r + 1). Järvelin & Kekäläinen 2002, with the Burges discount.

    Examples
    --------
    One of five relevant documents retrieved, at rank 1:

    >>> round(float(ndcg(locate([(["a"], dict.fromkeys("abcde", 1))]), k=5)[0]), 3)
    0.339
    """
    gained = _discounted(relevance.query, relevance.position, relevance.gain, k, relevance.n_queries)
    ideal = _discounted(relevance.ideal_query, relevance.ideal_position, relevance.ideal_gain, k, relevance.n_queries)
    return np.divide(gained, ideal, out=np.zeros_like(gained), where=ideal > 0)


FAMILIES: dict[str, Callable[[Relevance, int], Floats]] = {
    "recall": recall,
    "success": success,
    "mrr": mrr,
    "ndcg": ndcg,
}
"""Name of a measure to its function: a new measure is one function and one line here."""

_MEASURE = re.compile(r"(?P<family>[a-z]+)@(?P<k>0|-?[1-9][0-9]*)")


def parse_measure(measure: str) -> tuple[str, int]:
    """Family and cutoff of a measure such as ``recall@10``.

    Raises ComparisonError if the family is unknown or the cutoff is below 1.

    Examples
    --------
    >>> parse_measure("ndcg@10")
    ('ndcg', 10)
    """
    match = _MEASURE.fullmatch(measure)
    if match is None or match["family"] not in FAMILIES:
        known = ", ".join(f"{family}@k" for family in FAMILIES)
        raise ComparisonError(f"unknown measure {measure!r}; known are {known}, pair_accuracy and mirrored_accuracy")
    if int(match["k"]) < 1:
        raise ComparisonError(f"measure {measure!r}: the cutoff must be 1 or more")
    return match["family"], int(match["k"])


def evaluate(relevance: Relevance, measure: str) -> Floats:
    """Values of a measure such as ``ndcg@10`` for every query, shape (n_queries,), in [0, 1]."""
    family, k = parse_measure(measure)
    return FAMILIES[family](relevance, k)


def _columns(flat: list[int]) -> tuple[Integers, Integers, Floats]:
    """Query, position and gain, laid one after the other in a flat list."""
    table = np.array(flat, np.intp).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2].astype(np.float64)


def _discounted(query: Integers, position: Integers, gain: Floats, k: int, n_queries: int) -> Floats:
    within = position < k
    return _sum_by_query(query[within], gain[within] / np.log2(position[within] + 2.0), n_queries)


def _sum_by_query(query: Integers, weights: Floats | None, n_queries: int) -> Floats:
    return np.bincount(query, weights, minlength=n_queries).astype(np.float64)
