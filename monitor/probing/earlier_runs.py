"""Runs that a new run is compared with."""

from __future__ import annotations

from monitor.evaluation.scoring import measure
from monitor.model.deployments import Baseline
from monitor.model.measurements import Measured
from monitor.plan import Plan
from monitor.ports.store import Store
from monitor.world import Role, World


async def load_baseline(candidate: Measured, plan: Plan, world: World) -> Measured | None:
    """The baseline of the candidate's target and suite, measured again with the suite version of its run.

    It is loaded and measured once, and again after a promotion or a change of the measures.
    """
    suite_name = candidate.suite.name
    baseline = await world.store.baseline(plan.target, suite_name)
    if baseline is None:
        return None
    key = (plan.target, baseline.run_id, *plan.measures)
    measured = world.latest.measured.find(Role.BASELINE, suite_name, key)
    if measured is None:
        measured = await _load_measured(baseline, plan, world.store)
        world.latest.measured.keep(Role.BASELINE, suite_name, key, measured)
    return measured


async def load_trusted(target: str, suite_name: str, plan: Plan, store: Store) -> Measured | None:
    """The baseline of a target and suite, measured with the suite version of its run; None if there is none."""
    baseline = await store.baseline(target, suite_name)
    return None if baseline is None else await _load_measured(baseline, plan, store)


async def _load_measured(baseline: Baseline, plan: Plan, store: Store) -> Measured:
    run = await store.load_run(baseline.run_id)
    return measure(run, await store.load_suite(run.suite_digest), plan.measures)
