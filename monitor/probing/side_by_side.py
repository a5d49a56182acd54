"""Replay a suite against two live targets side by side: both receive each query at nearly the same moment.

Network load and changes of the corpus then affect both equally.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from monitor.model.runs import Outcome
from monitor.model.suites import Query
from monitor.probing.replay import Replies, Watch, answer_turns, chains_in_order, probe_hop
from monitor.world import Endpoints


async def replay_both(
    queries: Sequence[Query], baseline: Endpoints, candidate: Endpoints, *, watch: Watch
) -> tuple[tuple[Outcome, ...], tuple[Outcome, ...]]:
    """The outcomes of every query for both targets; the order of the targets alternates from chain to chain.

    Each target follows the chains with its own answers.
    """
    waiting = enumerate(chains_in_order(queries))
    outcomes: tuple[list[Outcome], list[Outcome]] = [], []
    turns = answer_turns(baseline), answer_turns(candidate)

    async def work() -> None:
        for place, chain in waiting:
            replies: tuple[Replies, Replies] = {}, {}
            for query in chain:
                for side in (0, 1) if place % 2 == 0 else (1, 0):
                    endpoints = (baseline, candidate)[side]
                    is_followed = query is not chain[-1]
                    outcome = await probe_hop(query, replies[side], endpoints, turns[side], is_followed=is_followed)
                    replies[side][query.query_id] = outcome.reply
                    outcomes[side].append(outcome)
                    watch(outcome)

    workers = min(baseline.retriever.concurrency, candidate.retriever.concurrency, len(queries))
    await asyncio.gather(*(work() for _ in range(workers)))
    return tuple(outcomes[0]), tuple(outcomes[1])
