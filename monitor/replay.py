"""Asking a live retriever every query of a suite: each query gets exactly one outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from monitor.errors import MonitorError, RetrieverError
from monitor.evaluation.quotes import look_for_quotes
from monitor.model import Failure, Outcome, Query
from monitor.ports import Retriever

Keep = Callable[[Sequence[Outcome]], Awaitable[None]]
Watch = Callable[[Outcome], None]

KEEP_EVERY_S = 1.0
"""How much of a run a crash can lose, in seconds."""
PATIENCE_S = 5.0
"""The longest wait that a retriever may ask for between two attempts."""


async def replay(
    queries: Sequence[Query], retriever: Retriever, *, depth: int, keep: Keep, watch: Watch, attempts: int = 2
) -> tuple[Outcome, ...]:
    """The outcome of every query, committed in batches as they come.

    A query without a relevant judgement is skipped, not asked. A probe that fails for a passing reason is
    asked again, up to ``attempts`` times. ``keep`` failing ends the run: what cannot be kept is not worth asking.
    """
    done: list[Outcome] = []
    fresh: list[Outcome] = []
    waiting = iter(queries)
    over = asyncio.Event()

    async def work() -> None:
        # The iterator is shared: each worker takes the next query that nobody has taken.
        for query in waiting:
            outcome = await probe(query, retriever, depth=depth, attempts=attempts)
            fresh.append(outcome)
            watch(outcome)

    async def work_all() -> None:
        await asyncio.gather(*(work() for _ in range(min(retriever.concurrency, len(queries)))))
        over.set()

    async def keep_steadily() -> None:
        while not over.is_set() or fresh:
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), KEEP_EVERY_S)
            batch = fresh.copy()
            fresh.clear()
            if batch:
                await keep(batch)
                done.extend(batch)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(work_all())
            group.create_task(keep_steadily())
    except* MonitorError as errors:
        raise errors.exceptions[0] from None
    return tuple(done)


async def probe(query: Query, retriever: Retriever, *, depth: int, attempts: int = 2) -> Outcome:
    """Ask one query. Whatever goes wrong is a failure with a reason, never an exception and never a zero."""
    if not query.is_judged:
        return Outcome(query.query_id)
    for attempt in range(1, attempts + 1):
        started = time.perf_counter()
        try:
            ranking = await retriever.retrieve(query.text, depth)
        except RetrieverError as error:
            failed = error
        else:
            duration_s = time.perf_counter() - started
            return Outcome(query.query_id, look_for_quotes(ranking, query.passages), duration_s=duration_s)
        if attempt == attempts or not failed.reason.is_worth_retrying:
            break
        await asyncio.sleep(min(failed.retry_after_s or 0.1 * attempt, PATIENCE_S))
    duration_s = time.perf_counter() - started
    return Outcome(query.query_id, failure=Failure(failed.reason, failed.detail), duration_s=duration_s)
