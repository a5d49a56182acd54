"""Two live targets side by side: every query is asked of both at nearly the same moment.

What loads the network, and what is written to the corpus meanwhile, hits both alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from monitor.model import Outcome, Query
from monitor.replay import Asked, Watch, ask, probe


async def replay_both(
    queries: Sequence[Query], baseline: Asked, candidate: Asked, *, watch: Watch
) -> tuple[tuple[Outcome, ...], tuple[Outcome, ...]]:
    """The outcomes of every query, of both targets; who is asked first alternates."""
    waiting = enumerate(queries)
    found: tuple[list[Outcome], list[Outcome]] = [], []

    async def work() -> None:
        for place, query in waiting:
            for side in (0, 1) if place % 2 == 0 else (1, 0):
                outcome = await _probe((baseline, candidate)[side], query)
                found[side].append(outcome)
                watch(outcome)

    workers = min(baseline.retriever.concurrency, candidate.retriever.concurrency, len(queries))
    await asyncio.gather(*(work() for _ in range(workers)))
    return tuple(found[0]), tuple(found[1])


async def _probe(asked: Asked, query: Query) -> Outcome:
    outcome = await probe(query, asked.retriever, depth=asked.depth, attempts=asked.attempts)
    if asked.answerer is None or not query.is_judged or not query.answers:
        return outcome
    return replace(outcome, reply=await ask(query.text, asked.answerer, attempts=asked.attempts))
