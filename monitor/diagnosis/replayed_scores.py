"""The scores of replayed answers: their calibration against live scores, and the attribution of a change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.diagnosis.attribution import Attribution, Ceiling, ceiling, from_replay
from monitor.diagnosis.calibration import Calibration, calibration
from monitor.model.measurements import Floats, Measured
from monitor.model.suites import Query

Texts = tuple[str, ...]
Score = Callable[[Query, str], float]
"""The score of an answer text; NaN where the measure does not apply or has no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryContexts:
    """The texts that a query is answered from."""

    query: Query
    old: Texts
    """The contexts of the earlier run."""
    new: Texts
    relevant: Texts | None
    """The relevant documents or quotes, if their texts are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """The answers of one generator to one query, from its different contexts."""

    old: str
    new: str
    relevant: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureReplay:
    """One measure of the replayed answers."""

    calibrations: tuple[Calibration, ...]
    """The bias of each generator."""
    attribution: Attribution | None
    """None if a bias exceeds its bound."""
    ceiling: Ceiling | None
    """The present generator with the relevant texts as contexts; None where these are unknown."""


def measure_replay(
    measure: str,
    runs: tuple[Measured, Measured],
    contexts: Sequence[QueryContexts],
    replies: Sequence[tuple[Measured, Sequence[Replies]]],
    score: Score,
    *,
    is_graded: bool = False,
) -> MeasureReplay | None:
    """One measure of all replayed answers, compared with the live scores; None if no query has all of its scores.

    ``replies`` holds for each generator the run with its live answers, and its replayed answers by query. If a judge
    grades the measure, ``score`` is the present judge, which also grades the earlier live answers again.
    """
    queries = [each.query for each in contexts]
    before, after = (_live_scores(run, measure, queries) for run in runs)
    old_answers = _live_texts(runs[0], queries)
    regraded = _scores(score, queries, old_answers) if is_graded else before
    cells = [
        (
            _scores(score, queries, [each.old for each in answers]),
            _scores(score, queries, [each.new for each in answers]),
        )
        for _, answers in replies
    ]
    usable = np.isfinite(np.stack([before, after, regraded, *(cell for pair in cells for cell in pair)])).all(axis=0)
    if not usable.any():
        return None
    clusters = _cluster_numbers(queries)[usable]
    before, after, regraded = before[usable], after[usable], regraded[usable]
    cells = [(old[usable], new[usable]) for old, new in cells]
    calibrations = tuple(
        calibration(regraded, old, clusters) if live is runs[0] else calibration(after, new, clusters)
        for (live, _), (old, new) in zip(replies, cells, strict=True)
    )
    if not all(each.is_within_bound for each in calibrations):
        return MeasureReplay(calibrations=calibrations, attribution=None, ceiling=None)
    blame = from_replay(
        before, after, [new - old for old, new in cells], clusters, regraded=regraded if is_graded else None
    )
    best = _scores(score, queries, [each.relevant for each in replies[-1][1]])[usable]
    return MeasureReplay(calibrations=calibrations, attribution=blame, ceiling=_ceiling(best, cells[-1], clusters))


def _ceiling(best: Floats, cells: tuple[Floats, Floats], clusters: Floats) -> Ceiling | None:
    is_known = np.isfinite(best)
    old, new = cells
    return ceiling(best[is_known], old[is_known], new[is_known], clusters[is_known]) if is_known.any() else None


def _live_scores(run: Measured, measure: str, queries: Sequence[Query]) -> Floats:
    """The live score of each query; NaN where the run has none."""
    values = dict(zip(run.measurements[measure].query_ids, run.measurements[measure].values.tolist(), strict=True))
    return np.array([values.get(query.query_id, np.nan) for query in queries], np.float64)


def _live_texts(run: Measured, queries: Sequence[Query]) -> list[str | None]:
    answers = live_answers(run)
    return [answers.get(query.query_id) for query in queries]


def live_answers(run: Measured) -> Mapping[str, str]:
    """The texts of the answers of a run, by query."""
    return {
        outcome.query_id: outcome.reply.answer.text
        for outcome in run.run.outcomes
        if outcome.reply and outcome.reply.answer
    }


def _scores(score: Score, queries: Sequence[Query], answers: Sequence[str | None]) -> Floats:
    """The score of each answer; NaN where there is none."""
    pairs = zip(queries, answers, strict=True)
    return np.array([np.nan if text is None else score(query, text) for query, text in pairs], np.float64)


def _cluster_numbers(queries: Sequence[Query]) -> Floats:
    """A number for the cluster of each query."""
    names = [f"{query.stratum}\x1f{query.cluster}" for query in queries]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], np.float64)
