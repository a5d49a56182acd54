"""Read the vectors of a few queries and documents in every cycle, where the target gives access to them."""

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
from monitor.ports.targets import ExactSearch, Retriever, VectorAccess, Vectors
from monitor.probing import echoes
from monitor.world import World

MOST_QUERIES, SHARE = 48, 0.02
"""Upper limits of the number of canary queries: a count, and a share of the suite. Cycles must stay short."""
FEWEST = 24
"""With fewer vectors, two spaces cannot be compared."""
READ = 300
"""Approximate number of queries whose rankings are used to name a cause. More do not improve it
(`benchmarks/causes`)."""
EXACT = 12
"""Number of canaries with an exact search, which reads the whole index."""
INDEX_RECALL = "index_recall"
"""Key of a verdict's insights: share of the exact results that the index returns, by suite."""


def select_canaries(suite: Suite) -> tuple[Query, ...]:
    """The canary queries of a suite, evenly spread over it; the same suite has the same canaries."""
    judged = [query for query in suite.queries if query.is_judged and not query.follows]
    count = min(MOST_QUERIES, max(FEWEST, int(SHARE * len(judged))), len(judged))
    return tuple(judged[:: max(1, len(judged) // max(count, 1))][:count])


async def observe(suite: Suite, run: Run, world: World) -> Snapshot | None:
    """What a cycle sees of a target beside its run: vectors where they are available, and the echoes that are due."""
    vectors = await read_snapshot(world.raw_retriever or world.retriever, suite, run)
    earlier = await world.store.snapshot(run.target, suite.name)
    # Texts are read from files, so only while an echo is missing.
    texts = {} if echoes.is_complete(earlier, suite) else await asyncio.to_thread(world.texts_of, suite.name)
    return await echoes.add_due(vectors, earlier, run, suite, world.retriever, texts)


async def observe_swap(
    swap: Swap, previous: Run, result: SuiteResult, world: World
) -> tuple[Swap, Snapshot | None]:  # fmt: skip
    """The swap with its likely cause, from echoes and replays sent now, and the snapshot to keep."""
    suite, run = result.measured.suite, result.measured.run
    texts = await asyncio.to_thread(world.texts_of, suite.name)
    before = await world.store.snapshot(run.target, suite.name)
    after = await echoes.observe_change(result.snapshot, before, run, world.retriever, texts)
    return await asyncio.to_thread(explain, swap, previous, run, suite, before, after, texts), after


async def read_snapshot(retriever: Retriever, suite: Suite, run: Run) -> Snapshot | None:
    """Rankings and vectors of the canaries of a run. None if vectors are unavailable or could not be read."""
    if not isinstance(retriever, VectorAccess):
        return None
    queries = select_canaries(suite)
    try:
        vectors = await retriever.embed([query.text for query in queries])
        stored = await retriever.stored_vectors(_documents(suite, queries))
        exact = await _exact(retriever, queries, vectors, run.depth)
    except RetrieverError:  # missing vectors are no evidence of a change
        return None
    snapshot = from_run(run, [query.query_id for query in queries])
    ids = tuple(sorted(stored))
    return replace(
        snapshot,
        queries=Embedded(tuple(query.query_id for query in queries), np.asarray(vectors, np.float32)),
        stored=Embedded(ids, np.array([stored[each] for each in ids], np.float32)) if ids else None,
        exact=exact,
    )


def explain(
    swap: Swap,
    previous: Run,
    run: Run,
    suite: Suite,
    before: Snapshot | None,
    after: Snapshot | None,
    texts: Mapping[str, str] = {},
) -> Swap:
    """The swap with its most likely cause, and the change of the vector space if both snapshots have vectors."""
    old, new = from_runs(previous, run, _read(suite))
    if not old.rankings:
        return swap
    old = echoes.with_words_and_groups(old, suite, texts)
    if before and after:
        old, new = _with_observations(old, before), _with_observations(new, after)
    if before and after and before.queries and after.queries:
        old, new = _with_vectors(old, before), _with_vectors(new, after)
    cause = name_cause(old, new)
    evidence = (*cause.evidence, describe(compare_spaces(old, new, _pairs(suite))))
    return replace(swap, cause=cause.description, evidence=" ".join(filter(None, evidence)))


def index_recalls(results: Sequence[SuiteResult]) -> dict[str, float]:
    """The index's recall of exact search, by suite; no entry without exact results of its canaries."""
    return {
        each.measured.suite.name: recall
        for each in results
        if each.snapshot and not math.isnan(recall := index_recall(each.snapshot))
    }


def index_recall(snapshot: Snapshot) -> float:
    """Share of the exact results that the index returned, mean over the canaries; NaN without exact results."""
    return recall_of_exact(snapshot.exact, snapshot.rankings, snapshot.depth)


def _read(suite: Suite) -> set[str]:
    """Ids of the queries used to name a cause: the canaries, and others spread over the suite."""
    spread = suite.queries[:: max(1, len(suite.queries) // READ)]
    return {query.query_id for query in (*select_canaries(suite), *spread)}


def _with_observations(rankings: Snapshot, observed: Snapshot) -> Snapshot:
    replayed = {query_id: each for query_id, each in observed.replayed.items() if query_id in rankings.rankings}
    return replace(rankings, echoes=observed.echoes, replayed=replayed)


def _with_vectors(rankings: Snapshot, vectors: Snapshot) -> Snapshot:
    return replace(
        rankings, queries=vectors.queries, stored=vectors.stored, encoded=vectors.encoded, exact=vectors.exact
    )


def _documents(suite: Suite, queries: Sequence[Query]) -> list[str]:
    """Ids of the relevant documents of the canaries and of both documents of their pairs."""
    canary_ids = {query.query_id for query in queries}
    pairs = [pair for pair in suite.pairs if pair.query_id in canary_ids]
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
        rankings = await asyncio.gather(*(retriever.search_exact(vector, depth) for vector in vectors[:EXACT]))
    except RetrieverError:  # some indexes have no exact search; the vectors suffice
        return {}
    return {query.query_id: ranking for query, ranking in zip(queries, rankings, strict=False)}


def _pairs(suite: Suite) -> list[Labelled]:
    stratum_of = {query.query_id: query.stratum for query in suite.queries}
    return [Labelled(pair, stratum_of[pair.query_id]) for pair in suite.pairs]
