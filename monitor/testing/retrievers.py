"""Contract of a retriever. The target under test must return at least two documents for any query."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any

from monitor.errors import RetrieverError
from monitor.model.runs import Ranking
from monitor.ports.targets import Retriever

Check = Callable[[Callable[[], Retriever]], Coroutine[Any, Any, None]]
QUERY = "which invoices are overdue?"
ODD_QUERIES = ("", "naïve 東京 🦊", 'quotes " and \\ and {braces}', "two\nlines\tand a tab", "x" * 10_000)


async def has_a_concurrency(build: Callable[[], Retriever]) -> None:
    """The number of concurrent probes is a positive integer, known before the first probe."""
    retriever = build()
    assert isinstance(retriever.concurrency, int), "concurrency is not an integer"
    assert retriever.concurrency >= 1, "concurrency is below 1"
    await retriever.close()


async def returns_at_most_k_documents(build: Callable[[], Retriever]) -> None:
    """A ranking holds one to k different documents, and as many scores, sources and texts as documents."""
    retriever = build()
    try:
        for k in (1, 2):
            _check_ranking(await retriever.retrieve(QUERY, k), k)
    finally:
        await retriever.close()


async def accepts_any_text(build: Callable[[], Retriever]) -> None:
    """Any query gives a ranking or raises RetrieverError, and the retriever works afterwards."""
    retriever = build()
    try:
        for query in ODD_QUERIES:
            try:
                _check_ranking(await retriever.retrieve(query, 2), 2, may_be_empty=True)
            except RetrieverError:
                continue
        _check_ranking(await retriever.retrieve(QUERY, 2), 2)
    finally:
        await retriever.close()


async def answers_concurrent_queries(build: Callable[[], Retriever]) -> None:
    """Three times as many queries as the concurrency, sent at once, all return rankings."""
    retriever = build()
    try:
        queries = (retriever.retrieve(QUERY, 2) for _ in range(3 * retriever.concurrency))
        for ranking in await asyncio.gather(*queries):
            _check_ranking(ranking, 2)
    finally:
        await retriever.close()


async def works_after_a_cancelled_query(build: Callable[[], Retriever]) -> None:
    """A query that is cancelled leaves the retriever usable."""
    retriever = build()
    try:
        task = asyncio.create_task(retriever.retrieve(QUERY, 2))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        _check_ranking(await retriever.retrieve(QUERY, 2), 2)
    finally:
        await retriever.close()


async def works_after_close(build: Callable[[], Retriever]) -> None:
    """Closing twice is harmless, and the next query opens new connections."""
    retriever = build()
    await retriever.retrieve(QUERY, 2)
    await retriever.close()
    await retriever.close()
    _check_ranking(await retriever.retrieve(QUERY, 2), 2)
    await retriever.close()


CHECKS: tuple[Check, ...] = (
    has_a_concurrency,
    returns_at_most_k_documents,
    accepts_any_text,
    answers_concurrent_queries,
    works_after_a_cancelled_query,
    works_after_close,
)


async def raises_retriever_errors_only(build: Callable[[], Retriever]) -> None:
    """An unreachable target raises RetrieverError with a reason, every time."""
    retriever = build()
    try:
        for _ in range(2):
            try:
                await retriever.retrieve(QUERY, 2)
            except RetrieverError as error:
                assert error.detail, "the error has no detail"
            else:
                raise AssertionError("an unreachable target returned a ranking")
    finally:
        await retriever.close()


UNREACHABLE_CHECKS: tuple[Check, ...] = (raises_retriever_errors_only,)
"""For a retriever whose target is down."""


def _check_ranking(ranking: Ranking, k: int, *, may_be_empty: bool = False) -> None:
    n_hits = len(ranking.doc_ids)
    assert n_hits <= k, f"{n_hits} documents for k = {k}"
    assert n_hits or may_be_empty, "no documents"
    assert all(isinstance(doc_id, str) and doc_id for doc_id in ranking.doc_ids), "an id is not a text, or is empty"
    assert len(set(ranking.doc_ids)) == n_hits, "a document is in the ranking twice"
    for part in (ranking.scores, ranking.texts):
        assert part is None or len(part) == n_hits, "the number of scores or texts differs from that of documents"
    assert all(map(math.isfinite, ranking.scores or ())), "a score is not finite"
