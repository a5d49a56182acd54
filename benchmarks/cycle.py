"""Duration of a whole cycle relative to probing alone, and its memory.

In a process of its own, because its peak memory is measured.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path

from benchmarks.probing import N_OURS, N_STRATA, open_retriever, probe_all, questions
from benchmarks.result import Result, dump
from benchmarks.server import DEPTH, serving
from benchmarks.timing import median_seconds, say
from monitor.adapters.stores.embedded import EmbeddedPostgres
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.cli.process import run_until_done
from monitor.cycle import Report, run_cycle
from monitor.incidents.routing import OnCall
from monitor.model.deployments import Baseline
from monitor.model.policies import Policy
from monitor.model.suites import Axis, Suite
from monitor.plan import Plan
from monitor.service.abandoned_runs import this_process
from monitor.service.wiring import utc_now
from monitor.world import World

GOAL_RATIO, GOAL_MEMORY_MB = 1.5, 400.0


def plan() -> Plan:
    """One suite of 5,000 questions in five strata; ``recall@100`` makes probes request 100 hits."""
    policy = Policy(gating={Axis.BROAD: ("ndcg@10", "mrr@10", "recall@10", f"recall@{DEPTH}")})
    return Plan(
        target="target",
        suites=(Suite(name="questions", version="1", axis=Axis.BROAD, queries=questions(), digest="1"),),
        policy=policy,
    )


async def promote_first(whole: Plan, store: PostgresStore, address: str) -> None:
    """Run one cycle against ``/before`` and promote it to baseline."""
    retriever = open_retriever(f"{address}/before")
    try:
        report = await run_cycle(
            whole, World(store=store, retriever=retriever, on_call=OnCall(), now=utc_now, owner=this_process())
        )
    finally:
        await retriever.close()
    run = report.measured[0].run
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
    """Duration of the whole cycle with its comparison, divided by probing alone."""
    with serving() as address, tempfile.TemporaryDirectory(prefix="recallwatch-") as folder:
        store = PostgresStore(EmbeddedPostgres(Path(folder)))
        retriever = open_retriever(f"{address}/now")
        await store.open()
        try:
            return await measure(store, retriever, address)
        finally:
            await retriever.close()
            await store.close()


async def measure(store: PostgresStore, retriever: object, address: str) -> list[Result]:
    """Seconds of both, and the peak memory of this process."""
    whole = plan()
    say(f"cycle: {N_OURS:,} probes in {N_STRATA} strata, kept and compared with a baseline")
    await promote_first(whole, store, address)
    world = World(
        store=store, retriever=retriever, on_call=OnCall(notifiers=("on-call",)), now=utc_now, owner=this_process()
    )
    reports: list[Report] = []

    async def cycle() -> None:
        reports[:] = [await run_cycle(whole, world)]

    cycle_s, probing_s = await median_seconds(cycle, lambda: probe_all(whole.suites[0].queries, retriever))
    if not any(each.p_worse_adjusted < 1 for each in reports[0].verdict.evidence):
        raise ValueError(f"nothing was compared: {reports[0].verdict.summary}")
    if "torch" in sys.modules:
        raise ValueError("torch was imported: the peak would be torch's")
    ratio = cycle_s / probing_s
    subject = f"whole cycle of {N_OURS:,} probes"
    return [
        Result(subject, "s", cycle_s, "probing alone", probing_s, ratio, GOAL_RATIO, at_most=True),
        Result("peak memory of the cycles", "MB", _peak_mb(), goal=GOAL_MEMORY_MB, at_most=True, unit_of_goal="MB"),
    ]


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    print(dump(run_until_done(compare())))
