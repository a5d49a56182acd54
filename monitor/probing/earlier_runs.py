"""Runs that a new run is compared with."""

from __future__ import annotations

from monitor.evaluation.scoring import measure
from monitor.model.measurements import Measured
from monitor.plan import Plan
from monitor.ports.store import Store


async def load_baseline(candidate: Measured, plan: Plan, store: Store) -> Measured | None:
    """The baseline of the candidate's target and suite, measured again with the suite version of its run."""
    return await load_trusted(plan.target, candidate.suite.name, plan, store)


async def load_trusted(target: str, suite_name: str, plan: Plan, store: Store) -> Measured | None:
    """The baseline of a target and suite, measured with the suite version of its run; None if there is none."""
    baseline = await store.baseline(target, suite_name)
    if baseline is None:
        return None
    run = await store.load_run(baseline.run_id)
    return measure(run, await store.load_suite(run.suite_digest), plan.measures)
