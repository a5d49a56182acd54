"""Runs that a new run is compared with."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.evaluation.scoring import measure
from monitor.model.deployments import Swap
from monitor.model.measurements import Measured
from monitor.plan import Plan
from monitor.ports.store import Store


async def load_baseline(candidate: Measured, plan: Plan, store: Store) -> Measured | None:
    """The baseline of the candidate's target and suite, measured anew by the suite it was replayed from."""
    baseline = await store.baseline(plan.target, candidate.suite.name)
    if baseline is None:
        return None
    run = await store.load_run(baseline.run_id)
    return measure(run, await store.load_suite(run.suite_digest), plan.measures)


async def load_before(
    noticed: Sequence[Swap],
    measured: Sequence[Measured],
    baselines: Sequence[Measured | None],
    plan: Plan,
    store: Store,
) -> list[tuple[Measured, Measured]]:
    """What was served before each swap and what is now, unless that is what the verdict compares already."""
    trusted = {each.run.run_id for each in baselines if each}
    previous = {swap.run_id: swap.previous_run_id for swap in noticed if swap.previous_run_id not in trusted}
    return [
        (measure(await store.load_run(previous[now.run.run_id]), now.suite, plan.measures), now)
        for now in measured
        if now.run.run_id in previous
    ]
