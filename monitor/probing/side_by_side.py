"""Replay a suite against two live targets side by side: both receive each query at nearly the same moment.

Network load and changes of the corpus then affect both equally.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from monitor.model.runs import Outcome
from monitor.model.suites import Query
from monitor.probing.replay import Watch, answer_turns, probe_with_answer
from monitor.world import Endpoints


async def replay_both(
    queries: Sequence[Query], baseline: Endpoints, candidate: Endpoints, *, watch: Watch
) -> tuple[tuple[Outcome, ...], tuple[Outcome, ...]]:
    """The outcomes of every query for both targets; the order of the targets alternates."""
    waiting = enumerate(queries)
    outcomes: tuple[list[Outcome], list[Outcome]] = [], []
    turns = answer_turns(baseline), answer_turns(candidate)

    async def work() -> None:
        for place, query in waiting:
            for side in (0, 1) if place % 2 == 0 else (1, 0):
                outcome = await probe_with_answer(query, (baseline, candidate)[side], turns[side])
                outcomes[side].append(outcome)
                watch(outcome)

    workers = min(baseline.retriever.concurrency, candidate.retriever.concurrency, len(queries))
    await asyncio.gather(*(work() for _ in range(workers)))
    return tuple(outcomes[0]), tuple(outcomes[1])
