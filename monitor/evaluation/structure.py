"""Measures of structure: what a target does with a satisfying document and the near-copy that violates the query.

All take the pairs of a suite and the rankings of a run by query id, and return query ids with values of shape
(n_values,). Only pairs whose query has a ranking are scored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from monitor.evaluation.score_scale import ScoreScale, score_scale
from monitor.model.measurements import Floats
from monitor.model.runs import Ranking
from monitor.model.suites import Pair

LIMIT = 3.0
"""Separation is clipped to this many standard deviations on either side."""

Values = tuple[tuple[str, ...], Floats]


def reach(pairs: Sequence[Pair], rankings: Mapping[str, Ranking]) -> Values:
    """1 where the satisfying document was returned at any rank, else 0.

    Examples
    --------
    >>> reach([Pair("q", "yes", "no")], {"q": Ranking(doc_ids=("no", "other", "yes"))})[1].tolist()
    [1.0]
    """
    return _by_query(pairs, rankings, lambda pair, ranking: float(pair.satisfying_id in ranking.doc_ids))


def violating(pairs: Sequence[Pair], rankings: Mapping[str, Ranking], k: int) -> Values:
    """1 where the violating document is among the first ``k`` hits, else 0; lower is better.

    Examples
    --------
    >>> violating([Pair("q", "yes", "no")], {"q": Ranking(doc_ids=("no", "yes"))}, k=1)[1].tolist()
    [1.0]
    """
    return _by_query(pairs, rankings, lambda pair, ranking: float(pair.violating_id in ranking.doc_ids[:k]))


def structure(pairs: Sequence[Pair], rankings: Mapping[str, Ranking]) -> Values:
    """Forced choice: 1 where the satisfying document ranks above the violating one, 0 where it ranks below.

    A document that was not returned ranks below all that were. Where neither was returned there is no choice and no
    value, so that a fall of retrieval as a whole does not count as a loss of structure. Chance is one half.

    References
    ----------
    Weller et al. 2024, NevIR (arXiv 2305.07614).

    Examples
    --------
    >>> rankings = {"q1": Ranking(doc_ids=("yes", "no")), "q2": Ranking(doc_ids=("no",)), "q3": Ranking(doc_ids=("x",))}
    >>> structure([Pair(query_id, "yes", "no") for query_id in rankings], rankings)
    (('q1', 'q2'), array([1., 0.]))
    """
    return _by_query(pairs, rankings, _choice)


def group_score(pairs: Sequence[Pair], rankings: Mapping[str, Ranking]) -> Values:
    """1 where both queries of a mirrored pair choose their satisfying document, else 0; chance is one quarter.

    Each mirrored pair counts once, under its first query id; both queries belong to one cluster. There is no value
    where either query has none of the two documents. A target that ignores structure makes the same choice for both
    queries and scores 0.

    References
    ----------
    Thrush et al. 2022, Winoground (arXiv 2204.03162); Weller et al. 2024, NevIR, pairwise accuracy.

    Examples
    --------
    >>> pairs = [Pair("a", "x", "y", "b"), Pair("b", "y", "x", "a")]
    >>> group_score(pairs, {"a": Ranking(doc_ids=("x", "y")), "b": Ranking(doc_ids=("y", "x"))})
    (('a',), array([1.]))
    """
    by_query = {pair.query_id: pair for pair in pairs if pair.query_id in rankings}
    counted: set[str] = set()

    def both(pair: Pair, ranking: Ranking) -> float | None:
        mirror = by_query.get(pair.mirror_id or "")
        if mirror is None or mirror.query_id in counted:
            return None
        counted.add(pair.query_id)
        choices = _choice(pair, ranking), _choice(mirror, rankings[mirror.query_id])
        return None if None in choices else float(choices == (1.0, 1.0))

    return _by_query(tuple(by_query.values()), rankings, both)


def separation(pairs: Sequence[Pair], rankings: Mapping[str, Ranking]) -> Values:
    """Score of the satisfying document minus that of the violating one, in standard deviations, in [-3, 3].

    The standard deviation is that of all scores returned for the query, so that a linear rescaling of the scores
    changes nothing. A document that was not returned takes the lowest returned score, an upper bound of its own: the
    value then understates a missing violating document and overstates a missing satisfying one. There is no value
    where neither was returned, without scores, and where all scores are equal. There are no values at all where the
    scores of the run are not on a linear scale (`score_scale`); distances count as negative similarities.

    Positive is better; 0 where both documents have the same score.

    References
    ----------
    The choice that it grades: Thrush et al. 2022, Winoground; Weller et al. 2024, NevIR.

    Examples
    --------
    >>> cosines = Ranking(doc_ids=("yes", "no", "other"), scores=(0.9, 0.8, 0.1))
    >>> ids, values = separation([Pair("q", "yes", "no")], {"q": cosines})
    >>> ids, values.round(4).tolist()  # 0.1 over the standard deviation of 0.9, 0.8, 0.1
    (('q',), [0.281])
    """
    scale = score_scale(rankings.values())
    if not scale.is_linear:
        return (), np.empty(0)
    sign = -1.0 if scale is ScoreScale.DISTANCE else 1.0
    return _by_query(pairs, rankings, lambda pair, ranking: _margin(pair, ranking, sign))


def _margin(pair: Pair, ranking: Ranking, sign: float) -> float | None:
    """The margin of one pair in standard deviations of the scores of its query, without the guard of the scale."""
    places = [_place(doc_id, ranking) for doc_id in (pair.satisfying_id, pair.violating_id)]
    if not ranking.scores or places == [None, None]:
        return None
    scores = sign * np.array(ranking.scores, np.float64)
    deviation = float(scores.std())
    # Equal scores have a deviation of rounding errors.
    if not np.isfinite(deviation) or deviation <= 1e-12 * float(np.abs(scores).max()):
        return None
    satisfying, breaking = (float(scores.min()) if place is None else float(scores[place]) for place in places)
    return min(max((satisfying - breaking) / deviation, -LIMIT), LIMIT)


def _choice(pair: Pair, ranking: Ranking) -> float | None:
    satisfying, breaking = _place(pair.satisfying_id, ranking), _place(pair.violating_id, ranking)
    if satisfying is None:
        return None if breaking is None else 0.0
    return float(breaking is None or satisfying < breaking)


def _place(doc_id: str, ranking: Ranking) -> int | None:
    return ranking.doc_ids.index(doc_id) if doc_id in ranking.doc_ids else None


def _by_query(
    pairs: Sequence[Pair], rankings: Mapping[str, Ranking], value: Callable[[Pair, Ranking], float | None]
) -> Values:
    """The values that exist, with their query ids in the order of the pairs."""

    def scored() -> Iterator[tuple[str, float]]:
        for pair in pairs:
            if pair.query_id in rankings and (number := value(pair, rankings[pair.query_id])) is not None:
                yield pair.query_id, number

    values = dict(scored())
    return tuple(values), np.array(list(values.values()), np.float64)
