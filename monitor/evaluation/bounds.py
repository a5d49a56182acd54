"""Upper bounds and judged shares of a run: unjudged hits may be relevant.

The lower bound of a measure is its value, which counts every unjudged hit as irrelevant. The upper bound is the highest
value that any judgement of the unjudged hits could give; `residuals` has the functions.
"""

from __future__ import annotations

import numpy as np

from monitor.evaluation import measures
from monitor.evaluation.retrieval import Flags, Judged, judged_flags, locate, n_positions
from monitor.evaluation.scoring import judge, judged_share
from monitor.model.measurements import Measured, Measurements


def upper_bounds(measured: Measured) -> dict[str, Measurements]:
    """The upper bound of each rank measure on each scored query, by name; measures without one are left out.

    A pair measure has none: the order of two documents does not depend on other judgements.
    """
    judged = list(_judged(measured).values())
    unjudged = _unjudged(judged)
    relevance = locate(judged)
    bounds: dict[str, Measurements] = {}
    for name, measurements in measured.measurements.items():
        measure, k = measures.parse(name)
        function = measures.upper_bound(measure)
        if function is not None:
            values = function(relevance, unjudged) if k is None else function(relevance, unjudged[:, :k], k)
            bounds[name] = Measurements(name, measurements.query_ids, values)
    return bounds


def judged_shares(measured: Measured) -> Measurements:
    """Share of the hits of each query that carry a judgement, in [0, 1]; queries without hits are left out."""
    shares = {query_id: judged_share(*judged) for query_id, judged in _judged(measured).items()}
    defined = {query_id: share for query_id, share in shares.items() if not np.isnan(share)}
    return Measurements("judged_share", tuple(defined), np.array(list(defined.values()), np.float64))


def _judged(measured: Measured) -> dict[str, Judged]:
    rankings = {outcome.query_id: outcome.ranking for outcome in measured.run.outcomes if outcome.ranking is not None}
    judged_ids = {query.query_id for query in measured.suite.queries if query.is_judged}
    return judge(measured.suite, {query_id: each for query_id, each in rankings.items() if query_id in judged_ids})


def _unjudged(judged: list[Judged]) -> Flags:
    """Which positions of each query hold no judged unit, shape (n_queries, length of the longest ranking)."""
    depth = max((n_positions(ranked) for ranked, _ in judged), default=0)
    flags = np.zeros((len(judged), depth), np.bool_)
    for row, (ranked, grades) in zip(flags, judged, strict=True):
        is_judged = np.array(judged_flags(ranked, grades, depth), np.bool_)
        row[: len(is_judged)] = ~is_judged
    return flags
