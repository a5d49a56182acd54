"""Unchanged cycles of 20 queries, as the daemon runs them: processor time, stored bytes and memory.

In a process of its own, because its processor time and memory are measured.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from sqlalchemy import Connection, create_engine, text

from benchmarks.probing import questions
from benchmarks.result import Result, dump
from benchmarks.server import serving
from benchmarks.timing import say
from monitor.adapters.exporters.prometheus import Metrics
from monitor.adapters.retrievers.http.retriever import HttpOptions, HttpRetriever
from monitor.adapters.stores.embedded import EmbeddedPostgres
from monitor.adapters.stores.postgres.connection import with_driver
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.alerting.no_data import Watchdog, WatchedSchedule
from monitor.cli.process import run_until_done
from monitor.config.config import Schedule
from monitor.config.limits import Limits
from monitor.incidents.routing import OnCall
from monitor.model.deployments import Baseline
from monitor.model.policies import Policy
from monitor.model.suites import Axis, Suite
from monitor.plan import Plan
from monitor.probing.rate_limit import RateLimitedRetriever
from monitor.service.abandoned_runs import this_process
from monitor.service.schedule import Scheduler
from monitor.service.slots import Slots
from monitor.service.wiring import utc_now
from monitor.world import World

N_QUERIES, WARM_UP, N_CYCLES = 20, 10, 1_000
NAME = "hourly"
GOAL_MS, GOAL_BYTES, GOAL_GROWTH = 15.0, 1_000.0, 1.05
SETTLED = 200
"""Cycles after which the memory of the process is compared: before, its caches fill."""
_STORED = """SELECT sum(pg_total_relation_size(oid)) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'outcome_block'"""


@asynccontextmanager
async def scheduling(store: PostgresStore, url: str) -> AsyncIterator[Scheduler]:
    """A scheduler with one target and one suite, as the daemon builds it."""
    retriever = RateLimitedRetriever(HttpRetriever(HttpOptions(url=url)), Limits())
    suite = Suite(name="questions", version="1", axis=Axis.BROAD, queries=questions(N_QUERIES), digest="1")
    plan = Plan(target="target", suites=(suite,), policy=Policy())
    on_call = OnCall(notifiers=("on-call",))
    world = World(store=store, retriever=retriever, on_call=on_call, now=utc_now, owner=this_process())
    watchdog = Watchdog({NAME: WatchedSchedule(plan, 7_200.0)}, store, on_call, utc_now)
    schedule = Schedule(target="target", suites=("questions",), every=3_600.0)
    try:
        yield Scheduler(Metrics(), {NAME: (schedule, plan, world)}, watchdog, Slots(store))
    finally:
        await retriever.close()


async def run_cycle(scheduler: Scheduler) -> None:
    """One cycle in a slot of its own."""
    slot = await scheduler.slots.claim(NAME, utc_now(), "plan")
    await scheduler.run_safely(NAME, slot)
    if sum(scheduler.metrics.cycle_failures.values()):
        raise ValueError("a cycle failed")


async def promote_first(scheduler: Scheduler, store: PostgresStore) -> None:
    """The first run becomes the baseline."""
    run = scheduler.reports[NAME].measured[0].run
    await store.promote(
        Baseline(
            target=run.target,
            suite_name=run.suite_name,
            run_id=run.run_id,
            promoted_by="benchmark",
            reason="first",
            promoted_at=utc_now(),
        )
    )


async def compare() -> list[Result]:
    """Run the cycles beside a server in another process, over an embedded PostgreSQL."""
    say(f"unchanged: {N_CYCLES:,} cycles of {N_QUERIES} queries")
    with serving() as address, tempfile.TemporaryDirectory(prefix="recallwatch-") as folder:
        async with EmbeddedPostgres(Path(folder)) as url:
            store = PostgresStore(EmbeddedPostgres(Path(folder)))
            await store.open()
            engine = create_engine(with_driver(url), isolation_level="AUTOCOMMIT")
            try:
                async with scheduling(store, f"{address}/before") as scheduler:
                    with engine.connect() as connection:
                        return await measure(scheduler, store, connection)
            finally:
                engine.dispose()
                await store.close()


async def measure(scheduler: Scheduler, store: PostgresStore, connection: Connection) -> list[Result]:
    """Processor time, stored bytes and memory of the cycles after the first ten."""
    await run_cycle(scheduler)
    await promote_first(scheduler, store)
    for _ in range(WARM_UP):
        await run_cycle(scheduler)
    n_bytes, spent_s, memory_mb = stored_bytes(connection), [], []
    for number in range(N_CYCLES):
        if number == SETTLED:
            memory_mb.append(resident_mb())
        started_s = time.process_time()
        await run_cycle(scheduler)
        spent_s.append(time.process_time() - started_s)
    memory_mb.append(resident_mb())
    verdict = scheduler.reports[NAME].verdict
    if not verdict.evidence or not verdict.look_reason:
        raise ValueError(f"the cycles were not judged: {verdict.summary}")
    per_cycle = (stored_bytes(connection) - n_bytes) / N_CYCLES
    subject = f"unchanged cycle of {N_QUERIES} queries"
    return [
        Result(
            f"processor time of an {subject}", "ms", 1e3 * statistics.median(spent_s),
            goal=GOAL_MS, at_most=True, unit_of_goal="ms",
        ),
        Result(
            f"stored by an {subject}, beyond its outcomes", "bytes", per_cycle,
            goal=GOAL_BYTES, at_most=True, unit_of_goal="bytes",
        ),
        Result(
            f"memory after {N_CYCLES:,} cycles", "MB", memory_mb[1], f"after {SETTLED}", memory_mb[0],
            memory_mb[1] / memory_mb[0], GOAL_GROWTH, at_most=True,
        ),
    ]  # fmt: skip


def stored_bytes(connection: Connection) -> int:
    """Bytes of all tables and their indexes without dead rows, except for the outcomes."""
    connection.execute(text("VACUUM FULL"))
    return int(connection.scalar(text(_STORED)) or 0)


def resident_mb() -> float:
    """Memory of this process."""
    gc.collect()
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 2**10


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # results go to standard output
    print(dump(run_until_done(compare())))
