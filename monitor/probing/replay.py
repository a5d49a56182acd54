"""Asking a live target every query of a suite: each query gets exactly one outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TypeVar

from monitor.errors import AdapterError, MonitorError
from monitor.evaluation.passages.quotes import look_for_quotes
from monitor.model.answers import Reply
from monitor.model.runs import Failure, Outcome
from monitor.model.suites import Query
from monitor.ports.targets import Answerer, Retriever
from monitor.world import Endpoints

Keep = Callable[[Sequence[Outcome]], Awaitable[None]]
Watch = Callable[[Outcome], None]
Turns = asyncio.Semaphore | nullcontext[None]
T = TypeVar("T")

KEEP_EVERY_S = 1.0
"""How much of a run a crash can lose, in seconds."""
PATIENCE_S = 5.0
"""The longest wait that a target may ask for between two attempts."""
BEFORE = "{answer}"
"""Where the answer of the hop before goes in the text of a query that follows another."""


async def replay(queries: Sequence[Query], asked: Endpoints, *, keep: Keep, watch: Watch) -> tuple[Outcome, ...]:
    """The outcome of every query, committed in batches as they come.

    A query without a relevant judgement is skipped, not asked. ``keep`` failing ends the run: what cannot be kept is
    not worth asking.
    """
    done: list[Outcome] = []
    fresh: list[Outcome] = []
    waiting = _chains(queries)
    over = asyncio.Event()
    turns = turns_of(asked)

    async def work() -> None:
        # The iterator is shared: each worker takes the next chain of queries that nobody has taken.
        for chain in waiting:
            replies: dict[str, Reply | None] = {}
            for query in chain:
                outcome = await _probe_hop(query, replies, asked, turns, is_followed=query is not chain[-1])
                replies[query.query_id] = outcome.reply
                fresh.append(outcome)
                watch(outcome)

    async def work_all() -> None:
        await asyncio.gather(*(work() for _ in range(min(asked.retriever.concurrency, len(queries)))))
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
    """Ask a retriever one query. Whatever goes wrong is a failure with a reason, never an exception, never a zero."""
    if not query.is_judged:
        return Outcome(query_id=query.query_id)
    found, duration_s = await _attempt(lambda: retriever.retrieve(query.text, depth), attempts)
    if isinstance(found, AdapterError):
        return Outcome(query_id=query.query_id, failure=Failure(found.reason, found.detail), duration_s=duration_s)
    return Outcome(query_id=query.query_id, ranking=look_for_quotes(found, query.passages), duration_s=duration_s)


async def ask(
    text: str, answerer: Answerer, contexts: Sequence[str] | None = None, *, attempts: int = 2
) -> Reply:  # fmt: skip
    """Ask for one answer. Whatever goes wrong is a reason, never an exception, never an empty answer."""
    found, duration_s = await _attempt(lambda: answerer.answer(text, contexts), attempts)
    if isinstance(found, AdapterError):
        return Reply(reason=found.reason, detail=found.detail, duration_s=duration_s)
    return Reply(answer=found, duration_s=duration_s)


def turns_of(asked: Endpoints) -> Turns:
    """What lets only so many answers be asked for at once: a model that writes them bears less than a retriever."""
    return asyncio.Semaphore(asked.answerer.concurrency) if asked.answerer else nullcontext()


async def probe_and_ask(query: Query, asked: Endpoints, turns: Turns, *, is_followed: bool = False) -> Outcome:
    """Ask one query of the retriever, and of the answerer where its answer is compared with or taken on."""
    outcome = await probe(query, asked.retriever, depth=asked.depth, attempts=asked.attempts)
    if asked.answerer is None or not query.is_judged or not (query.answers or is_followed):
        return outcome  # an answer that nothing is compared with is not worth its price
    async with turns:
        return replace(outcome, reply=await ask(query.text, asked.answerer, attempts=asked.attempts))


def _chains(queries: Sequence[Query]) -> Iterator[list[Query]]:
    """Queries that follow each other, in their order; nearly all queries stand alone."""
    chains: dict[str, list[Query]] = {}
    for query in queries:
        chain = chains[query.query_id] = chains.get(query.follows, [])
        chain.append(query)
    return (chain for query_id, chain in chains.items() if chain[0].query_id == query_id)


async def _probe_hop(
    query: Query,
    replies: dict[str, Reply | None],
    asked: Endpoints,
    turns: Turns,
    *,
    is_followed: bool,
) -> Outcome:
    if query.follows:
        before = replies.get(query.follows)
        if before is None or before.answer is None:
            return _broken_chain(query, before)
        query = replace(query, text=query.text.replace(BEFORE, before.answer.text))
    return await probe_and_ask(query, asked, turns, is_followed=is_followed)


def _broken_chain(query: Query, before: Reply | None) -> Outcome:
    """What becomes of a hop whose question could not be completed: skipped if nobody answers, else failed."""
    if before is None or before.reason is None:
        return Outcome(query_id=query.query_id)
    return Outcome(query_id=query.query_id, failure=Failure(before.reason, "the hop before brought no answer"))


async def _attempt(call: Callable[[], Awaitable[T]], attempts: int) -> tuple[T | AdapterError, float]:
    """What a call brought, or why it failed, and how long the last attempt took."""
    for attempt in range(1, attempts + 1):
        started = time.perf_counter()
        try:
            found = await call()
        except AdapterError as error:
            failed = error
        else:
            return found, time.perf_counter() - started
        duration_s = time.perf_counter() - started
        if attempt == attempts or not failed.reason.is_worth_retrying:
            break
        await asyncio.sleep(min(failed.retry_after_s or 0.1 * attempt, PATIENCE_S))
    return failed, duration_s
