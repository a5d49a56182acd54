"""Measures of compositional pairs: whether the satisfying document ranks above its near-copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from monitor.model.measurements import Floats
from monitor.model.runs import Ranking
from monitor.model.suites import Pair


def pair_accuracy(pairs: Sequence[Pair], rankings: Mapping[str, Ranking]) -> tuple[tuple[str, ...], Floats]:
    """1 where the satisfying document ranks above the violating one, else 0, with the query ids.

    Returns the query ids of the scored pairs and values of shape (n_pairs,). Only pairs whose query has a ranking are
    scored. A satisfying document outside the ranking scores 0. Chance is one half when both are retrieved.

    References
    ----------
    Weller et al. 2024, NevIR (arXiv 2305.07614).

    Examples
    --------
    >>> rankings = {"q1": Ranking(doc_ids=("no", "yes")), "q2": Ranking(doc_ids=("yes",))}
    >>> pairs = [Pair("q1", "yes", "no"), Pair("q2", "yes", "no")]
    >>> pair_accuracy(pairs, rankings)[1].tolist()
    [0.0, 1.0]
    """
    scored = [pair for pair in pairs if pair.query_id in rankings]
    correct = [_is_correct(pair, rankings[pair.query_id].doc_ids) for pair in scored]
    return tuple(pair.query_id for pair in scored), np.array(correct, np.float64)


def mirrored_accuracy(pairs: Sequence[Pair], rankings: Mapping[str, Ranking]) -> tuple[tuple[str, ...], Floats]:
    """1 where both queries of a mirrored pair rank their satisfying document first, else 0; chance is one quarter.

    Returns query ids and values of shape (n_mirrored_pairs,). Each mirrored pair counts once, under its first query
    id. A model that ignores structure ranks the same document first for both queries and scores 0.

    References
    ----------
    Weller et al. 2024, NevIR (arXiv 2305.07614), pairwise accuracy.

    Examples
    --------
    >>> pairs = [Pair("a", "x", "y", "b"), Pair("b", "y", "x", "a")]
    >>> same_order = Ranking(doc_ids=("x", "y"))
    >>> mirrored_accuracy(pairs, {"a": same_order, "b": same_order})[1].tolist()
    [0.0]
    """
    by_query = {pair.query_id: pair for pair in pairs if pair.query_id in rankings}
    ids: list[str] = []
    correct: list[bool] = []
    for pair in by_query.values():
        mirror = by_query.get(pair.mirror_id or "")
        if mirror is None or mirror.query_id in ids:
            continue
        ids.append(pair.query_id)
        correct.append(all(_is_correct(each, rankings[each.query_id].doc_ids) for each in (pair, mirror)))
    return tuple(ids), np.array(correct, np.float64)


def _is_correct(pair: Pair, doc_ids: Sequence[str]) -> bool:
    if pair.satisfying_id not in doc_ids:
        return False
    if pair.violating_id not in doc_ids:
        return True
    return doc_ids.index(pair.satisfying_id) < doc_ids.index(pair.violating_id)
