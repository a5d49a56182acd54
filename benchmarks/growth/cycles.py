"""Unchanged cycles of 1,000 queries beside a history: ``python -m benchmarks.growth.cycles URL`` prints their time."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from benchmarks.growth.history import renamed, suite
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.cli.process import run_until_done
from monitor.cycle import run_cycle
from monitor.incidents.routing import OnCall
from monitor.model.deployments import Baseline
from monitor.model.policies import Policy
from monitor.model.runs import Ranking
from monitor.plan import Plan
from monitor.service.abandoned_runs import this_process
from monitor.service.wiring import utc_now
from monitor.world import World

WARM_UP, ROUNDS = 2, 5


class SameHits:
    """A retriever in this process that returns the same hits for every query at once."""

    concurrency = 8

    async def retrieve(self, query: str, k: int) -> Ranking:
        """The hits."""
        number = int(query.split()[4])
        doc_ids = tuple(f"doc-{(number + at) % 1_000_000:07d}" for at in range(k))
        return Ranking(doc_ids=doc_ids, scores=tuple(1 / (1 + at) for at in range(k)))

    async def close(self) -> None:
        """Nothing to close."""


async def run_cycles(url: str) -> dict[str, float]:
    """Median seconds of a cycle, and the peak memory of this process in MB."""
    store = PostgresStore(url)
    await store.open()
    try:
        plan, world = await _cycling(store)
        times = []
        for _ in range(WARM_UP + ROUNDS):
            started = time.perf_counter()
            await run_cycle(plan, world)
            times.append(time.perf_counter() - started)
    finally:
        await store.close()
    return {"cycle_s": statistics.median(times[WARM_UP:]), "memory_mb": _peak_mb()}


def _peak_mb() -> float:
    """The peak of this program; that of `getrusage` includes the process that started it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 2**10


async def _cycling(store: PostgresStore) -> tuple[Plan, World]:
    """A target with a suite of 1,000 queries and a baseline, of which nothing changes."""
    watched = renamed(suite(1), "watched")
    plan = Plan(target="watched", suites=(watched,), policy=Policy())
    world = World(store=store, retriever=SameHits(), on_call=OnCall(), now=utc_now, owner=this_process())
    run = (await run_cycle(plan, world)).measured[0].run
    await store.promote(
        Baseline(
            target="watched",
            suite_name="watched",
            run_id=run.run_id,
            promoted_by="benchmark",
            reason="first",
            promoted_at=utc_now(),
        )
    )
    return plan, world


if __name__ == "__main__":
    print(json.dumps(run_until_done(run_cycles(sys.argv[1]))))
