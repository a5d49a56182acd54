"""Generate answers again from the contexts of both runs, to attribute a change to retrieval or generation.

This needs an answerer that accepts contexts, and the texts of the documents.
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
from monitor.probing.replay import request_answer

LIMIT = 300
"""Largest number of replayed queries, spread over the suite. Each costs three answers."""
SCORER = LEADING[Needs.ANSWERS]
"""The answer measure that is attributed."""


@dataclass(frozen=True, slots=True)
class ContextReplayResult:
    """The attribution of one suite by context replay."""

    attribution: Attribution
    ceiling: Ceiling
    failed: int
    """Number of queries left out because an answer failed or the text of a document is missing."""


async def replay_contexts(
    before: Measured,
    after: Measured,
    answerer: Answerer,
    texts: Mapping[str, str],
    policy: Policy,
) -> ContextReplayResult:
    """Attribute a change, with the current generator and the contexts of both runs and the relevant documents.

    With s(generator, contexts) the mean score, *generation* = s(new, old) − s(old, old) and *retrieval* =
    s(new, new) − s(new, old), where s(old, old) is the stored score of the earlier run. This is one of the two paths
    that Shapley's value averages, because the earlier generator is gone. Raises ComparisonError if no query could be
    replayed.
    """
    queries = _select_queries(before, after)
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
        complete = tuple(each for each in replies if each is not None)
        return complete if len(complete) == len(replies) else None

    results = await asyncio.gather(*map(scores, queries))
    scored = [(query, each) for query, each in zip(queries, results, strict=True) if each is not None]
    if not scored:
        raise ComparisonError(
            f"no query of {after.suite.name} could be replayed: the answerer returned no answer, or the texts of the "
            "retrieved documents are missing; add them to the suite's corpus.jsonl"
        )
    then = dict(zip(before.measurements[SCORER].query_ids, before.measurements[SCORER].values.tolist(), strict=True))
    old, new, oracle = np.array([each for _, each in scored]).T
    clusters = _numbers([f"{query.stratum}\x1f{query.cluster}" for query, _ in scored])
    generation = frozenset({Component.GENERATION})
    cells = {
        frozenset[Component](): [then[query.query_id] for query, _ in scored],
        generation: old,
        generation | {Component.RETRIEVAL}: new,
    }
    failed = len(queries) - len(scored)
    return ContextReplayResult(shapley(cells, clusters), ceiling(oracle, old, new, clusters), failed)


def _select_queries(before: Measured, after: Measured) -> list[Query]:
    """Queries with answers in both runs, evenly spread over the suite."""
    if SCORER not in before.measurements or SCORER not in after.measurements:
        raise ComparisonError(f"the two runs of {after.suite.name} have no answers to compare")
    both = set(before.measurements[SCORER].query_ids) & set(after.measurements[SCORER].query_ids)
    queries = [query for query in after.suite.queries if query.query_id in both and query.grades and not query.follows]
    return queries[:: max(1, -(-len(queries) // LIMIT))]


def _read(outcome: Outcome, window: int) -> Sequence[str]:
    """Ids of the documents behind an answer: those that it lists, else the first hits."""
    answer = outcome.reply.answer if outcome.reply else None
    if answer is not None and answer.doc_ids is not None:
        return answer.doc_ids
    return outcome.ranking.doc_ids[:window] if outcome.ranking else ()


async def _score(
    query: Query, doc_ids: Sequence[str], texts: Mapping[str, str], answerer: Answerer
) -> float | None:  # fmt: skip
    contexts = [texts[doc_id] for doc_id in doc_ids if doc_id in texts]
    if len(contexts) < len(doc_ids):
        return None
    reply = await request_answer(query.text, answerer, contexts)
    return SCORERS[SCORER](reply.answer.text, query.answers) if reply.answer else None


def _numbers(names: Sequence[str]) -> list[int]:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return [numbers[name] for name in names]
