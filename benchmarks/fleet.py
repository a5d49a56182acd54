"""Two hundred targets probed side by side, five of them stuck: how late cycles start.

Every target has its own schedule, retriever and pace, as the daemon gives them; all results go to one PostgreSQL.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import structlog

from benchmarks.probing import questions
from benchmarks.result import Result, dump
from benchmarks.server import serving
from benchmarks.timing import say
from monitor.adapters.exporters.prometheus import Metrics
from monitor.adapters.retrievers.http.retriever import HttpOptions, HttpRetriever
from monitor.adapters.stores.embedded import EmbeddedPostgres
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.cli.process import run_until_done
from monitor.config.config import Schedule
from monitor.config.limits import Limits
from monitor.cycle import Report
from monitor.incidents.routing import OnCall
from monitor.model.deployments import Baseline
from monitor.model.policies import Policy
from monitor.model.suites import Axis, Suite
from monitor.plan import Plan
from monitor.ports.store import Store
from monitor.probing.rate_limit import RateLimitedRetriever
from monitor.service.abandoned_runs import this_process
from monitor.service.schedule import Scheduler
from monitor.service.slots import Slots
from monitor.service.wiring import utc_now
from monitor.world import World

N_TARGETS, N_STUCK, N_QUERIES = 200, 5, 20
EVERY_S, TIMEOUT_S, LASTS_S = 20.0, 5.0, 55.0
GOAL_S = 2.0


@dataclass(slots=True)
class WatchedSchedule(Scheduler):
    """A scheduler that records how late each cycle starts; first results become the baseline."""

    lags_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def run(self, name: str) -> Report:
        """Run one cycle."""
        self.lags_s[name].append(self.metrics.service.slot_lag_s[name])
        is_first = name not in self.reports
        report = await Scheduler.run(self, name)
        if is_first:
            run = report.measured[0].run
            await self.plans[name][2].store.promote(
                Baseline(
                    target=name,
                    suite_name=run.suite_name,
                    run_id=run.run_id,
                    promoted_by="benchmark",
                    reason="first",
                    promoted_at=utc_now(),
                )
            )
        return report


@asynccontextmanager
async def stuck() -> AsyncIterator[str]:
    """The address of a server that accepts every request and never answers."""
    held: list[asyncio.StreamWriter] = []

    def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for writer in held:
            writer.close()
        server.close()


def fleet(address: str, stuck_address: str, store: Store) -> WatchedSchedule:
    """A scheduler of all targets; the stuck ones are spread among the others."""
    suite = Suite(name="questions", version="1", axis=Axis.BROAD, queries=questions(N_QUERIES), digest="1")
    plans = {}
    for number in range(N_TARGETS):
        name = f"target-{number:03d}"
        is_stuck = number % (N_TARGETS // N_STUCK) == 0
        url = stuck_address if is_stuck else f"{address}/before"
        retriever = RateLimitedRetriever(HttpRetriever(HttpOptions(url=url, timeout=TIMEOUT_S)), Limits())
        world = World(
            store=store, retriever=retriever, on_call=OnCall(notifiers=("on-call",)), now=utc_now, owner=this_process()
        )
        schedule = Schedule(target=name, suites=("questions",), every=EVERY_S)
        plans[f"{'stuck' if is_stuck else 'well'}-{name}"] = (
            schedule,
            Plan(target=name, suites=(suite,), policy=Policy()),
            world,
        )
    return WatchedSchedule(Metrics(), plans, slots=Slots(store))


async def compare() -> list[Result]:
    """The lag of every cycle that was due in the measured period."""
    say(f"fleet: {N_TARGETS} targets every {EVERY_S:g} s, {N_STUCK} of them stuck, for {LASTS_S:g} s")
    with serving() as address, tempfile.TemporaryDirectory(prefix="recallwatch-") as folder:
        store = PostgresStore(EmbeddedPostgres(Path(folder)))
        await store.open()
        async with AsyncExitStack() as closing, stuck() as stuck_address:
            closing.push_async_callback(store.close)
            table = fleet(address, stuck_address, store)
            for _, _, world in table.plans.values():
                closing.push_async_callback(world.retriever.close)
            table.start()
            await asyncio.sleep(LASTS_S)
            await table.stop()
    return results(table)


def results(table: WatchedSchedule) -> list[Result]:
    """Median, p99 and worst lag of healthy targets. Raises ValueError if cycles failed, or too few started."""
    well = [name for name in table.plans if name.startswith("well")]
    lags_s = [lag for name in well for lag in table.lags_s[name]]
    if len(lags_s) < len(well) * (LASTS_S / EVERY_S - 1):
        raise ValueError(f"only {len(lags_s)} cycles started")
    if failed := sum(table.metrics.cycle_failures.values()):
        raise ValueError(f"{failed} cycles failed")
    subject = f"schedule lag of {N_TARGETS} targets"
    return [
        Result(f"{subject}, median of {len(lags_s):,} cycles", "s", float(np.median(lags_s))),
        Result(f"{subject}, p99", "s", float(np.quantile(lags_s, 0.99)), goal=GOAL_S, at_most=True, unit_of_goal="s"),
        Result(f"{subject}, the latest", "s", max(lags_s)),
    ]


if __name__ == "__main__":
    structlog.configure(
        # Results go to standard output. Tracebacks without values: those of a fleet would be gigabytes.
        processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    print(dump(run_until_done(compare())))
