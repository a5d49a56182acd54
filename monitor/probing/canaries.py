"""Looking into a target's vectors, where they can be reached: a few queries and documents, in every cycle."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from monitor.diagnosis.causes import name_cause
from monitor.diagnosis.space_changes import Labelled, compare_spaces, describe, recall_of_exact
from monitor.errors import RetrieverError
from monitor.model.deployments import Swap
from monitor.model.results import SuiteResult
from monitor.model.runs import Ranking, Run
from monitor.model.snapshots import Embedded, Snapshot, from_run, from_runs
from monitor.model.suites import Query, Suite
from monitor.model.verdicts import Verdict
from monitor.ports.targets import ExactSearch, Retriever, VectorAccess, Vectors

MOST_QUERIES, SHARE = 48, 0.02
"""Canaries are so many queries, and no more than this share of the suite: a cycle must not become longer."""
FEWEST = 8
READ = 300
"""Queries, about, whose rankings tell why they changed; more tell no more (`benchmarks/causes`)."""
EXACT = 5
"""Canaries that are searched for exactly, which reads the whole index."""
INDEX_RECALL = "index_recall"
"""Where a verdict's insights hold how much of an exact search the index returns, by suite."""


def chosen(suite: Suite) -> tuple[Query, ...]:
    """The canary queries of a suite, evenly spread over it: the same ones as long as the suite is the same."""
    judged = [query for query in suite.queries if query.is_judged and not query.follows]
    count = min(MOST_QUERIES, max(FEWEST, int(SHARE * len(judged))), len(judged))
    return tuple(judged[:: max(1, len(judged) // max(count, 1))][:count])


async def look_into(retriever: Retriever, suite: Suite, run: Run) -> Snapshot | None:
    """What the canaries of a run show, with their vectors; None if the target shows none, or fails to this time."""
    if not isinstance(retriever, VectorAccess):
        return None
    queries = chosen(suite)
    try:
        vectors = await retriever.embed([query.text for query in queries])
        stored = await retriever.stored_vectors(_documents(suite, queries))
        exact = await _exact(retriever, queries, vectors, run.depth)
    except RetrieverError:  # nothing is known then, which is no change
        return None
    seen = from_run(run, [query.query_id for query in queries])
    ids = tuple(sorted(stored))
    return replace(
        seen,
        queries=Embedded(tuple(query.query_id for query in queries), np.asarray(vectors, np.float32)),
        stored=Embedded(ids, np.array([stored[each] for each in ids], np.float32)) if ids else None,
        exact=exact,
    )


def explain(swap: Swap, previous: Run, run: Run, suite: Suite, before: Snapshot | None, after: Snapshot | None) -> Swap:
    """The swap with its likeliest cause and what it did to the space, by vectors where both snapshots have them."""
    old, new = from_runs(previous, run, _read(suite))
    if not old.rankings:
        return swap
    if before and after and before.queries and after.queries:
        old, new = _with_vectors(old, before), _with_vectors(new, after)
    cause = name_cause(old, new)
    told = (*cause.evidence, describe(compare_spaces(old, new, _pairs(suite))))
    return replace(swap, cause=cause.description, evidence=" ".join(filter(None, told)))


def with_index_recall(verdict: Verdict, results: Sequence[SuiteResult]) -> Verdict:
    """The verdict with the index's recall of exact search, for the suites whose canaries could tell."""
    told = {
        each.measured.suite.name: recall
        for each in results
        if each.snapshot and not math.isnan(recall := index_recall(each.snapshot))
    }
    return replace(verdict, insights={**verdict.insights, INDEX_RECALL: told}) if told else verdict


def index_recall(snapshot: Snapshot) -> float:
    """Share of what an exact search ranks first that the index returned, mean over the canaries; NaN if not known."""
    return recall_of_exact(snapshot.exact, snapshot.rankings, snapshot.depth)


def _read(suite: Suite) -> set[str]:
    """Queries whose rankings are read to tell why they changed: the canaries, and others spread over the suite."""
    spread = suite.queries[:: max(1, len(suite.queries) // READ)]
    return {query.query_id for query in (*chosen(suite), *spread)}


def _with_vectors(seen: Snapshot, looked: Snapshot) -> Snapshot:
    return replace(seen, queries=looked.queries, stored=looked.stored, encoded=looked.encoded, exact=looked.exact)


def _documents(suite: Suite, queries: Sequence[Query]) -> list[str]:
    """Documents that the canaries are about: those they need, and the near-copies that must not be confused."""
    asked = {query.query_id for query in queries}
    pairs = [pair for pair in suite.pairs if pair.query_id in asked]
    documents = [doc_id for query in queries for doc_id, grade in query.grades.items() if grade > 0]
    return list(
        dict.fromkeys((*documents, *(each for pair in pairs for each in (pair.satisfying_id, pair.violating_id))))
    )


async def _exact(
    retriever: VectorAccess, queries: Sequence[Query], vectors: Vectors, depth: int
) -> Mapping[str, Ranking]:
    if not isinstance(retriever, ExactSearch):
        return {}
    try:
        found = await asyncio.gather(*(retriever.search_exact(vector, depth) for vector in vectors[:EXACT]))
    except RetrieverError:  # the index cannot, as it stands; the vectors tell enough
        return {}
    return {query.query_id: ranking for query, ranking in zip(queries, found, strict=False)}


def _pairs(suite: Suite) -> list[Labelled]:
    stratum_of = {query.query_id: query.stratum for query in suite.queries}
    return [Labelled(pair, stratum_of[pair.query_id]) for pair in suite.pairs]
