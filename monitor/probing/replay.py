"""Send every query of a suite to a live target: each query gets exactly one outcome."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TypeVar

from monitor.errors import AdapterError, MonitorError, Reason
from monitor.evaluation.chains import BEFORE
from monitor.evaluation.passages.quotes import look_for_quotes
from monitor.model.answers import Answer, Reply
from monitor.model.runs import Failure, Outcome
from monitor.model.suites import Query
from monitor.ports.targets import Answerer, Retriever
from monitor.probing.retries import attempt
from monitor.world import ContextTexts, Endpoints

Save = Callable[[Sequence[Outcome]], Awaitable[None]]
Watch = Callable[[Outcome], None]
Turns = asyncio.Semaphore | nullcontext[None]
Replies = dict[str, Reply | None]
"""The replies to the hops of one chain, by query."""
T = TypeVar("T")

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
SAVE_EVERY_S = 1.0
"""Outcomes are committed this often; a crash loses at most this much."""


async def replay(queries: Sequence[Query], endpoints: Endpoints, *, save: Save, watch: Watch) -> tuple[Outcome, ...]:
    """The outcome of every query, committed in batches during the run.

    A query without a relevant judgement is skipped, not sent. If ``save`` fails, the run ends with its error.
    """
    done: list[Outcome] = []
    fresh: list[Outcome] = []
    waiting = chains_in_order(queries)
    over = asyncio.Event()
    turns = answer_turns(endpoints)

    async def work() -> None:
        # All workers share the iterator: each takes the next chain that is left.
        for chain in waiting:
            replies: Replies = {}
            for query in chain:
                outcome = await probe_hop(query, replies, endpoints, turns, is_followed=query is not chain[-1])
                replies[query.query_id] = outcome.reply
                fresh.append(outcome)
                watch(outcome)

    async def work_all() -> None:
        await asyncio.gather(*(work() for _ in range(min(endpoints.retriever.concurrency, len(queries)))))
        over.set()

    async def save_steadily() -> None:
        while not over.is_set() or fresh:
            with suppress(TimeoutError):
                async with asyncio.timeout(SAVE_EVERY_S):
                    await over.wait()
            batch = fresh.copy()
            fresh.clear()
            if batch:
                await save(batch)
                done.extend(batch)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(work_all())
            group.create_task(save_steadily())
    except* MonitorError as errors:
        raise errors.exceptions[0] from None
    return tuple(done)


async def probe(
    query: Query, retriever: Retriever, *, depth: int, attempts: int = 2, contexts: ContextTexts | None = None
) -> Outcome:
    """Send one query to a retriever. Every error becomes a failure with a reason, never a zero."""
    if not query.is_judged:
        return Outcome(query_id=query.query_id)
    result, duration_s = await attempt(lambda: retriever.retrieve(query.text, depth), attempts)
    if isinstance(result, AdapterError):
        return Outcome(query_id=query.query_id, failure=Failure(result.reason, result.detail), duration_s=duration_s)
    if contexts is not None:
        contexts.add(result)
    return Outcome(query_id=query.query_id, ranking=look_for_quotes(result, query.passages), duration_s=duration_s)


async def request_answer(
    text: str, answerer: Answerer, contexts: Sequence[str] | None = None, *, attempts: int = 2
) -> Reply:  # fmt: skip
    """Request one answer. Every error becomes a reply with a reason, never an empty answer."""
    result, duration_s = await attempt(lambda: answerer.answer(text, contexts), attempts)
    if isinstance(result, AdapterError):
        return Reply(reason=result.reason, detail=result.detail, duration_s=duration_s)
    return Reply(answer=_storable(result), duration_s=duration_s)


def _storable(answer: Answer) -> Answer:
    """The answer with U+0000 and lone surrogates replaced: one such character would lose the whole run."""
    text = _UNSTORABLE.sub("\ufffd", answer.text)
    return answer if text == answer.text else replace(answer, text=text)


def answer_turns(endpoints: Endpoints) -> Turns:
    """Limits concurrent answer requests: a generator allows fewer than a retriever."""
    return asyncio.Semaphore(endpoints.answerer.concurrency) if endpoints.answerer else nullcontext()


async def probe_with_answer(query: Query, endpoints: Endpoints, turns: Turns, *, is_followed: bool = False) -> Outcome:
    """Probe the retriever, and the answerer if the answer is scored or needed by the next hop."""
    outcome = await probe(
        query, endpoints.retriever, depth=endpoints.depth, attempts=endpoints.attempts, contexts=endpoints.contexts
    )
    if endpoints.answerer is None or not query.is_judged or not (query.answers or is_followed):
        return outcome  # an answer without a reference or a next hop would cost money for nothing
    async with turns:
        if endpoints.answerer.needs_contexts:
            reply = await _answer_from_hits(query, outcome, endpoints.answerer, endpoints)
        else:
            reply = await request_answer(query.text, endpoints.answerer, attempts=endpoints.attempts)
        return replace(outcome, reply=reply)


async def _answer_from_hits(query: Query, outcome: Outcome, answerer: Answerer, endpoints: Endpoints) -> Reply:
    """An answer from the texts of the first hits, for an answerer that retrieves nothing by itself."""
    if outcome.failure or outcome.ranking is None or endpoints.contexts is None:
        reason = outcome.failure.reason if outcome.failure else Reason.REJECTED
        return Reply(reason=reason, detail="the retriever returned no contexts")
    contexts = endpoints.contexts.of(outcome.ranking)
    if contexts is None:
        detail = "the texts of the hits are unknown: set response.text of the retriever"
        return Reply(reason=Reason.REJECTED, detail=detail)
    reply = await request_answer(query.text, answerer, contexts, attempts=endpoints.attempts)
    if reply.answer is None:
        return reply
    doc_ids = outcome.ranking.doc_ids[: endpoints.contexts.window]
    return replace(reply, answer=replace(reply.answer, doc_ids=doc_ids, contexts=contexts))


def chains_in_order(queries: Sequence[Query]) -> Iterator[list[Query]]:
    """Chains of queries that follow each other, in their order; most chains have one query."""
    chains: dict[str, list[Query]] = {}
    for query in queries:
        chain = chains[query.query_id] = chains.get(query.follows, [])
        chain.append(query)
    return (chain for query_id, chain in chains.items() if chain[0].query_id == query_id)


async def probe_hop(
    query: Query,
    replies: Replies,
    endpoints: Endpoints,
    turns: Turns,
    *,
    is_followed: bool,
) -> Outcome:
    """Probe one hop of a chain, with the previous answer in its text; ``replies`` holds the answers of its chain."""
    if query.follows:
        before = replies.get(query.follows)
        if before is None or before.answer is None:
            return _broken_chain(query, before)
        query = replace(query, text=query.text.replace(BEFORE, before.answer.text))
    return await probe_with_answer(query, endpoints, turns, is_followed=is_followed)


def _broken_chain(query: Query, before: Reply | None) -> Outcome:
    """The outcome of a hop without the previous answer: failed if the answer failed, else skipped."""
    if before is None or before.reason is None:
        return Outcome(query_id=query.query_id)
    return Outcome(query_id=query.query_id, failure=Failure(before.reason, "the previous hop has no answer"))
