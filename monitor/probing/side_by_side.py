"""Two live targets side by side: every query is asked of both at nearly the same moment.

What loads the network, and what is written to the corpus meanwhile, hits both alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from monitor.model.runs import Outcome
from monitor.model.suites import Query
from monitor.probing.replay import Watch, probe_and_ask, turns_of
from monitor.world import Endpoints


async def replay_both(
    queries: Sequence[Query], baseline: Endpoints, candidate: Endpoints, *, watch: Watch
) -> tuple[tuple[Outcome, ...], tuple[Outcome, ...]]:
    """The outcomes of every query, of both targets; who is asked first alternates."""
    waiting = enumerate(queries)
    found: tuple[list[Outcome], list[Outcome]] = [], []
    turns = turns_of(baseline), turns_of(candidate)

    async def work() -> None:
        for place, query in waiting:
            for side in (0, 1) if place % 2 == 0 else (1, 0):
                outcome = await probe_and_ask(query, (baseline, candidate)[side], turns[side])
                found[side].append(outcome)
                watch(outcome)

    workers = min(baseline.retriever.concurrency, candidate.retriever.concurrency, len(queries))
    await asyncio.gather(*(work() for _ in range(workers)))
    return tuple(found[0]), tuple(found[1])
