"""How high a measure could be: the unjudged hits may be relevant, and nobody has looked.

The lower bound of a measure is its value, which takes every unjudged hit for irrelevant. The upper bound is the highest
value that any judgement of the unjudged hits within the cutoff could give; a hit that turns out to be relevant joins
the relevant documents that there are, with the highest grade of its query. What was not retrieved stays as it is
judged. (Residuals as in Moffat & Zobel 2008, for measures that are normalised.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from monitor.evaluation.passages.labels import Resolved
from monitor.evaluation.retrieval import Relevance, evaluate, locate, mrr, parse_measure, recall, success
from monitor.evaluation.scoring import UNRANKED, judge, judged_share
from monitor.model.measurements import Floats, Measured, Measurements

Flags = NDArray[np.bool_]


def upper_bounds(measured: Measured) -> dict[str, Measurements]:
    """The upper bound of each rank measure on each scored query. A pair needs no other judgement, and has none."""
    judged = list(_judged(measured).values())
    names = [name for name in measured.measurements if name not in UNRANKED]
    if not names:
        return {}
    relevance = locate(judged)
    unjudged = _unjudged(judged, max(parse_measure(name)[1] for name in names))
    found: dict[str, Measurements] = {}
    for name in names:
        family, k = parse_measure(name)
        values = UPPER[family](relevance, unjudged[:, :k], k)
        found[name] = Measurements(name, measured.measurements[name].query_ids, values)
    return found


def judged_shares(measured: Measured) -> Measurements:
    """The share of what each query returned that carries a judgement, where anything was returned."""
    shares = {query_id: judged_share(*each) for query_id, each in _judged(measured).items()}
    known = {query_id: share for query_id, share in shares.items() if not np.isnan(share)}
    return Measurements("judged_share", tuple(known), np.array(list(known.values()), np.float64))


def upper_recall(relevance: Relevance, unjudged: Flags, k: int) -> Floats:
    """Recall with every unjudged hit relevant: the found and the relevant documents both grow by those."""
    added = unjudged.sum(1).astype(np.float64)
    found = recall(relevance, k) * relevance.n_relevant + added
    return _ratio(found, relevance.n_relevant + added)


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

    Not all of them relevant: a late one adds more to the ideal than to the gain. Of any number of them the first are
    worth most, so that the highest value is found among as many cases as there are unjudged hits.
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
    best = evaluate(relevance, f"ndcg@{k}")
    for n_added in range(1, width + 1):
        place = relevance.ideal_position + n_added
        kept = place < k
        worth = relevance.ideal_gain[kept] * discounts[place[kept]]
        ideal = np.bincount(relevance.ideal_query[kept], worth, minlength=n_queries).astype(np.float64)
        ideal += grade * discounts[:n_added].sum()
        last = np.argmax(count >= n_added, axis=1)
        gain = gained + added[np.arange(n_queries), last]
        possible = count[:, -1] >= n_added
        best = np.maximum(best, np.where(possible, _ratio(gain, ideal), 0.0))
    return best


UPPER: Mapping[str, Callable[[Relevance, Flags, int], Floats]] = {
    "recall": upper_recall,
    "success": upper_success,
    "mrr": upper_mrr,
    "ndcg": upper_ndcg,
}
"""Name of a measure to its upper bound; `FAMILIES` of `retrieval` names the same."""


def _judged(measured: Measured) -> dict[str, tuple[tuple[str, ...] | Resolved, Mapping[str, int]]]:
    outcomes = measured.run.outcomes
    rankings = {each.query_id: each.ranking for each in outcomes if each.ranking is not None}
    asked = {query.query_id for query in measured.suite.queries if query.is_judged}
    return judge(measured.suite, {query_id: each for query_id, each in rankings.items() if query_id in asked})


def _unjudged(judged: list[tuple[tuple[str, ...] | Resolved, Mapping[str, int]]], depth: int) -> Flags:
    """Which of the first positions of each query hold no judged unit, shape (n_queries, depth)."""
    flags = np.zeros((len(judged), depth), np.bool_)
    for row, (ranked, grades) in zip(flags, judged, strict=True):
        if isinstance(ranked, Resolved):
            row[: ranked.n_positions] = True
            row[[position for position in ranked.judged if position < depth]] = False
        else:
            shown = ranked[:depth]
            row[: len(shown)] = [doc_id not in grades for doc_id in shown]
    return flags


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
