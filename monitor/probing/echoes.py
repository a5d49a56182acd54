"""Query documents with their own text, and replay canaries: both show which part of a target changed.

The score of a document for its own text stays the same while queries and documents are encoded by one model. A replay
shows how much the results of an unchanged target differ. While nothing changes, each document is echoed once and each
canary replayed once, a few in each cycle. At a detected change all echoes are sent again, and the replays start over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from monitor.diagnosis.bm25 import WordIndex
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking, Run
from monitor.model.snapshots import Rankings, Snapshot, from_run
from monitor.model.suites import Query, Suite
from monitor.ports.targets import Retriever

MOST_ECHOES, MOST_REPLAYS = 48, 30
SHARE = 0.05
"""Upper limit of the echoes and replays of one cycle, as a share of the judged queries of the suite."""
FEWEST = 4
LONGEST = 4_000
"""Characters of a document that are sent as a query."""
MOST_WORDS = 300
"""Queries whose rankings are matched with the words of their documents."""


async def add_due(
    snapshot: Snapshot | None, earlier: Snapshot | None, run: Run, suite: Suite, retriever: Retriever,
    texts: Mapping[str, str],
) -> Snapshot | None:  # fmt: skip
    """The snapshot with the echoes and replays of earlier cycles and those that are due; None if there are none."""
    echoes, replayed = (dict(earlier.echoes), dict(earlier.replayed)) if earlier else ({}, {})
    echo_due = _texts([doc_id for doc_id in select_documents(suite, texts) if doc_id not in echoes], texts)
    replay_due = {each.query_id: each.text for each in _replayed(suite) if each.query_id not in replayed}
    # Echoes first: without them replays say little.
    n_due = max(FEWEST, int(SHARE * sum(query.is_judged for query in suite.queries)))
    echo_now = dict(islice(echo_due.items(), n_due))
    replay_now = dict(islice(replay_due.items(), n_due - len(echo_now) if echoes or echo_now else 0))
    echoes |= await _retrieve(retriever, echo_now, run.depth)
    replayed |= await _retrieve(retriever, replay_now, run.depth)
    if snapshot is None and not echoes:
        return None
    return replace(snapshot or from_run(run, ()), echoes=echoes, replayed=replayed)


def is_complete(earlier: Snapshot | None, suite: Suite) -> bool:
    """Whether nothing more is due for a suite with many documents."""
    return earlier is not None and len(earlier.echoes) >= MOST_ECHOES and len(earlier.replayed) >= len(_replayed(suite))


async def observe_change(
    snapshot: Snapshot | None, earlier: Snapshot | None, run: Run, retriever: Retriever, texts: Mapping[str, str]
) -> Snapshot | None:
    """The snapshot after a detected change, with all echoes sent again. Replays of the earlier target are dropped."""
    if earlier is None or not earlier.echoes:
        return snapshot
    echoes = await _retrieve(retriever, _texts(list(earlier.echoes), texts), run.depth)
    return replace(snapshot or from_run(run, ()), echoes=echoes, replayed={})


def _replayed(suite: Suite) -> list[Query]:
    queries = [query for query in suite.queries if query.is_judged and not query.follows]
    return queries[:: max(1, len(queries) // MOST_REPLAYS)][:MOST_REPLAYS]


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
