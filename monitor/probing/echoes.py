"""Query documents with their own text, and replay canaries: both show which part of a target changed.

The score of a document for its own text stays the same while queries and documents are encoded by one model. An echo
is sent once per document while nothing changes, a few in each cycle, and again for all of them at a detected change,
together with replays, which show the noise of the target.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.diagnosis.bm25 import WordIndex
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking, Run
from monitor.model.snapshots import Rankings, Snapshot, from_run
from monitor.model.suites import Query, Suite
from monitor.ports.targets import Retriever

MOST_ECHOES, MOST_REPLAYS = 48, 30
SHARE = 0.05
"""Upper limit of the echoes of one cycle, as a share of the judged queries of the suite."""
FEWEST = 4
LONGEST = 4_000
"""Characters of a document that are sent as a query."""
MOST_WORDS = 300
"""Queries whose rankings are matched with the words of their documents."""


async def add_due_echoes(
    snapshot: Snapshot | None, kept: Snapshot | None, run: Run, suite: Suite, retriever: Retriever,
    texts: Mapping[str, str],
) -> Snapshot | None:  # fmt: skip
    """The snapshot with the echoes of earlier cycles and those that are due now; None if there is nothing to keep."""
    known = dict(kept.echoes) if kept else {}
    due = [doc_id for doc_id in select_documents(suite, texts) if doc_id not in known]
    n_judged = sum(query.is_judged for query in suite.queries)
    sent = await _retrieve(retriever, _texts(due[: max(FEWEST, int(SHARE * n_judged))], texts), run.depth)
    echoes = {**known, **sent}
    if snapshot is None and not echoes:
        return None
    return replace(snapshot or from_run(run, ()), echoes=echoes)


async def observe_change(
    snapshot: Snapshot | None, kept: Snapshot | None, run: Run, suite: Suite, retriever: Retriever,
    texts: Mapping[str, str],
) -> Snapshot | None:  # fmt: skip
    """The snapshot after a detected change: all echoes again, and replays of some queries; without echoes, neither."""
    echoed = list(kept.echoes) if kept else []
    if not echoed:
        return snapshot
    echoes = await _retrieve(retriever, _texts(echoed, texts), run.depth)
    ranked = {outcome.query_id for outcome in run.outcomes if outcome.ranking}
    queries = [query for query in suite.queries if query.query_id in ranked and not query.follows]
    replayed = queries[:: max(1, len(queries) // MOST_REPLAYS)][:MOST_REPLAYS]
    rankings = await _retrieve(retriever, {each.query_id: each.text for each in replayed}, run.depth)
    return replace(snapshot or from_run(run, ()), echoes=echoes, replayed=rankings)


def select_documents(suite: Suite, texts: Mapping[str, str]) -> tuple[str, ...]:
    """The documents to query by their own text: relevant ones with a known text, evenly spread over the suite."""
    relevant = dict.fromkeys(doc_id for query in suite.queries for doc_id, grade in query.grades.items() if grade > 0)
    doc_ids = [doc_id for doc_id in relevant if texts.get(doc_id, "").strip()]
    return tuple(doc_ids[:: max(1, len(doc_ids) // MOST_ECHOES)][:MOST_ECHOES])


def with_words_and_groups(snapshot: Snapshot, suite: Suite, texts: Mapping[str, str]) -> Snapshot:
    """The snapshot with the match of the words of queries and documents, and with the stratum of each document."""
    groups = {doc_id: query.stratum for query in suite.queries for doc_id, grade in query.grades.items() if grade > 0}
    queries = [query for query in suite.queries if query.query_id in snapshot.rankings]
    words = _word_matches(queries[:MOST_WORDS], snapshot.rankings, texts)
    return replace(snapshot, word_matches=words, groups=groups if len(suite.strata) > 1 else {})


def _word_matches(
    queries: Sequence[Query], rankings: Rankings, texts: Mapping[str, str]
) -> dict[str, dict[str, float]]:  # fmt: skip
    doc_ids = list(dict.fromkeys(doc_id for query in queries for doc_id in rankings[query.query_id].doc_ids))
    doc_ids = [doc_id for doc_id in doc_ids if doc_id in texts]
    if not doc_ids:
        return {}
    rows = {doc_id: row for row, doc_id in enumerate(doc_ids)}
    matches = WordIndex([texts[doc_id] for doc_id in doc_ids]).match([query.text for query in queries])
    return {
        query.query_id: {
            doc_id: float(matches[number, rows[doc_id]])
            for doc_id in rankings[query.query_id].doc_ids
            if doc_id in rows
        }
        for number, query in enumerate(queries)
    }


def _texts(doc_ids: Sequence[str], texts: Mapping[str, str]) -> dict[str, str]:
    return {doc_id: texts[doc_id][:LONGEST] for doc_id in doc_ids if doc_id in texts}


async def _retrieve(retriever: Retriever, queries: Mapping[str, str], depth: int) -> dict[str, Ranking]:
    """The rankings of these texts by key. Failures are left out; a spent budget or an outage ends the requests."""
    rankings: dict[str, Ranking] = {}
    waiting = iter(queries.items())

    async def work() -> None:
        for key, text in waiting:
            try:
                rankings[key] = replace(await retriever.retrieve(text, depth), texts=None)
            except RetrieverError as error:
                if error.reason in (Reason.BUDGET_SPENT, Reason.UNREACHABLE, Reason.UNAUTHORISED):
                    return

    await asyncio.gather(*(work() for _ in range(min(retriever.concurrency, len(queries)))))
    return {key: rankings[key] for key in queries if key in rankings}
