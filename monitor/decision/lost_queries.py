"""The queries behind a drop, with the expected, the earlier and the current results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitor.evaluation.measures import LEADING
from monitor.model.measurements import Measured
from monitor.model.runs import Outcome
from monitor.model.suites import Pair, Query

_LONGEST = 300
"""Number of characters of an answer in a page."""


def lost_queries(
    pairs_of_runs: Sequence[tuple[Measured, Measured]], *, limit: int = 5
) -> tuple[Mapping[str, Any], ...]:
    """The queries that lost most between baseline and candidate, worst first; only queries with a loss."""
    lost = [each for before, after in pairs_of_runs for each in _losses(before, after)]
    lost.sort(key=lambda each: each["difference"])
    return tuple(lost[:limit])


def _losses(before: Measured, after: Measured) -> list[dict[str, Any]]:
    by_measure = (_losses_by(name, before, after) for name in LEADING.values() if name in after.measurements)
    return next(filter(None, by_measure), [])


def _losses_by(measure: str, before: Measured, after: Measured) -> list[dict[str, Any]]:
    if measure not in before.measurements:
        return []
    earlier = dict(zip(before.measurements[measure].query_ids, before.measurements[measure].values, strict=True))
    queries = {query.query_id: query for query in after.suite.queries}
    pairs = {pair.query_id: pair for pair in after.suite.pairs}
    old = {outcome.query_id: outcome for outcome in before.run.outcomes}
    new = {outcome.query_id: outcome for outcome in after.run.outcomes}
    values = zip(after.measurements[measure].query_ids, after.measurements[measure].values, strict=True)
    return [
        {
            **_to_dict(queries[query_id], pairs.get(query_id), old[query_id], new[query_id]),
            "suite": after.suite.name,
            "measure": measure,
            "difference": float(value - earlier[query_id]),
        }
        for query_id, value in values
        if query_id in earlier and value < earlier[query_id]
    ]


def _to_dict(query: Query, pair: Pair | None, old: Outcome, new: Outcome) -> dict[str, Any]:
    relevant = [doc_id for doc_id, grade in query.grades.items() if grade > 0]
    relevant += [passage.name for passage in query.passages if passage.grade > 0]
    expected = [pair.satisfying_id] if pair else relevant
    return {
        "query_id": query.query_id,
        "query": query.text,
        "stratum": query.stratum,
        "expected": expected[:5],
        "retrieved_before": _first(old),
        "retrieved_now": _first(new),
        **_answers(query, old, new),
    }


def _answers(query: Query, old: Outcome, new: Outcome) -> dict[str, Any]:
    """The expected answers and those of both runs, if either run has an answer."""
    before, now = (
        each.reply.answer.text[:_LONGEST] if each.reply and each.reply.answer else None for each in (old, new)
    )
    if before is None and now is None:
        return {}
    return {"expected_answers": list(query.answers[:3]), "answer_before": before, "answer_now": now}


def _first(outcome: Outcome, count: int = 3) -> list[str]:
    return list(outcome.ranking.doc_ids[:count]) if outcome.ranking else []
