"""Replaying answers from other contexts: what today's generator makes of what yesterday's retriever found.

Needs an answerer that takes contexts, and the texts of the documents.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.diagnosis.attribution import Attribution, Ceiling, Component, ceiling, shapley
from monitor.diagnosis.insights import windows_of
from monitor.errors import ComparisonError
from monitor.evaluation.answers.measurements import SCORERS
from monitor.evaluation.measures import LEADING
from monitor.model.measurements import Measured
from monitor.model.measures import Needs
from monitor.model.policies import Policy
from monitor.model.runs import Outcome
from monitor.model.suites import Query
from monitor.ports.targets import Answerer
from monitor.probing.replay import ask

LIMIT = 300
"""Queries that are replayed at most, spread over the suite: three answers each cost their price."""
SCORER = LEADING[Needs.ANSWERS]
"""The measure of answers that is attributed."""


@dataclass(frozen=True, slots=True)
class ContextReplayResult:
    """What replaying contexts showed of one suite."""

    attribution: Attribution
    ceiling: Ceiling
    failed: int
    """Queries left out because an answer did not come back, or a document's text is not known."""


async def replay_contexts(
    before: Measured,
    after: Measured,
    answerer: Answerer,
    texts: Mapping[str, str],
    policy: Policy,
) -> ContextReplayResult:
    """Who is to blame, by today's generator with the contexts of both runs and with the relevant documents.

    With s(generator, contexts) the mean score, *generation* = s(new, old) − s(old, old) and *retrieval* =
    s(new, new) − s(new, old), where s(old, old) is what was scored then: one path of the two that Shapley's value
    averages, since yesterday's generator is gone. Raises ComparisonError if no query could be replayed.
    """
    queries = _chosen(before, after)
    runs = [{each.query_id: each for each in run.run.outcomes} for run in (before, after)]
    windows = [windows_of(run, policy) for run in (before, after)]
    turns = asyncio.Semaphore(answerer.concurrency)

    async def scores(query: Query) -> tuple[float, ...] | None:
        contexts = [
            _read(run[query.query_id], window[query.query_id]) for run, window in zip(runs, windows, strict=True)
        ]
        oracle = [doc_id for doc_id, grade in query.grades.items() if grade > 0]
        async with turns:
            replies = [await _score(query, doc_ids, texts, answerer) for doc_ids in (*contexts, oracle)]
        found = [each for each in replies if each is not None]
        return tuple(found) if len(found) == len(replies) else None

    found = await asyncio.gather(*map(scores, queries))
    kept = [(query, each) for query, each in zip(queries, found, strict=True) if each is not None]
    if not kept:
        raise ComparisonError(
            f"no query of {after.suite.name} could be replayed: the answerer gave no answer, or no text is known of "
            "the documents that were found; the suite needs their texts in its corpus.jsonl"
        )
    then = dict(zip(before.measurements[SCORER].query_ids, before.measurements[SCORER].values.tolist(), strict=True))
    old, new, oracle = np.array([each for _, each in kept]).T
    clusters = _numbers([f"{query.stratum}\x1f{query.cluster}" for query, _ in kept])
    generation = frozenset({Component.GENERATION})
    cells = {
        frozenset[Component](): [then[query.query_id] for query, _ in kept],
        generation: old,
        generation | {Component.RETRIEVAL}: new,
    }
    return ContextReplayResult(shapley(cells, clusters), ceiling(oracle, old, new, clusters), len(queries) - len(kept))


def _chosen(before: Measured, after: Measured) -> list[Query]:
    """Queries that both runs answered, evenly spread over the suite."""
    if SCORER not in before.measurements or SCORER not in after.measurements:
        raise ComparisonError(f"the two runs of {after.suite.name} have no answers to compare")
    both = set(before.measurements[SCORER].query_ids) & set(after.measurements[SCORER].query_ids)
    queries = [query for query in after.suite.queries if query.query_id in both and query.grades and not query.follows]
    return queries[:: max(1, -(-len(queries) // LIMIT))]


def _read(outcome: Outcome, window: int) -> Sequence[str]:
    """The documents that an answer was written from: as it says, else the first ones that were found."""
    answer = outcome.reply.answer if outcome.reply else None
    if answer is not None and answer.doc_ids is not None:
        return answer.doc_ids
    return outcome.ranking.doc_ids[:window] if outcome.ranking else ()


async def _score(
    query: Query, doc_ids: Sequence[str], texts: Mapping[str, str], answerer: Answerer
) -> float | None:  # fmt: skip
    known = [texts[doc_id] for doc_id in doc_ids if doc_id in texts]
    if len(known) < len(doc_ids):
        return None
    reply = await ask(query.text, answerer, known)
    return SCORERS[SCORER](reply.answer.text, query.answers) if reply.answer else None


def _numbers(names: Sequence[str]) -> list[int]:
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return [known[name] for name in names]
