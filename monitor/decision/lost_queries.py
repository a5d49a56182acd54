"""The queries behind a drop, with the expected, the earlier and the current results."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from monitor.evaluation.measures import LEADING
from monitor.model.measurements import Measured
from monitor.model.runs import Outcome
from monitor.model.suites import Pair, Query
from monitor.model.verdicts import Evidence
from monitor.statistics.pairing import OVERALL

_LONGEST = 300
"""Number of characters of an answer in a page."""


def lost_queries(
    pairs_of_runs: Sequence[tuple[Measured, Measured]], fallen: Sequence[Evidence] = (), *, limit: int = 5
) -> tuple[Mapping[str, Any], ...]:
    """Queries that show a drop: from what fell, spread over its strata, the largest loss of each stratum first.

    Ties are broken by the rank that the expected document fell to. Without ``fallen``, every suite counts, by the
    first of its leading measures that any query lost.
    """
    losses = [each for before, after in pairs_of_runs for each in _losses(before, after, fallen)]
    losses.sort(key=lambda each: (each["difference"], -(each["rank_now"] or math.inf)))
    by_stratum: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for loss in losses:
        by_stratum.setdefault((loss["suite"], loss["stratum"]), []).append(loss)
    rounds = itertools.zip_longest(*by_stratum.values())
    return tuple(itertools.islice((loss for losses in rounds for loss in losses if loss), limit))


def _losses(before: Measured, after: Measured, fallen: Sequence[Evidence]) -> list[dict[str, Any]]:
    """Losses by the measure that fell most, within the strata that fell; the whole axis counts before its parts."""
    if fallen:
        drops = sorted(
            (each for each in fallen if each.suite == after.suite.name),
            key=lambda each: (each.stratum != OVERALL, each.difference),
        )
        strata = {each.stratum for each in drops if each.stratum != OVERALL} or {*after.suite.strata}
        measures = tuple(dict.fromkeys(each.measure for each in drops))
    else:
        strata, measures = {*after.suite.strata}, tuple(LEADING.values())
    by_measure = (_losses_by(name, before, after) for name in measures if name in after.measurements)
    return [each for each in next(filter(None, by_measure), []) if each["stratum"] in strata]


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
    ranks = {"rank_before": _rank(old, expected), "rank_now": _rank(new, expected)}
    return {
        "query_id": query.query_id,
        "query": query.text,
        "stratum": query.stratum,
        "expected": expected[:5],
        **ranks,
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


def _rank(outcome: Outcome, expected: Sequence[str]) -> int | None:
    """Rank of the first expected document, from 1; None if none was returned."""
    doc_ids = outcome.ranking.doc_ids if outcome.ranking else ()
    return next((rank for rank, doc_id in enumerate(doc_ids, 1) if doc_id in expected), None)
