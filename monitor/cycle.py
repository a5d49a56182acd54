"""One pass of the line: probe → evaluate → keep → compare → decide → queue.

Everything that touches the world comes in through ``World``; everything that decides is pure.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import uuid4

from monitor.alerting import paging
from monitor.change_detection.look import look_for_change
from monitor.decision.verdict import decide, with_run_before
from monitor.model.deployments import Swap
from monitor.model.incidents import Incident, IncidentKind
from monitor.model.measurements import Measured
from monitor.model.verdicts import Verdict
from monitor.plan import Plan
from monitor.probing import canaries
from monitor.probing.budget import refuse_beyond_budget
from monitor.probing.earlier_runs import load_baseline, load_before
from monitor.probing.replay import Watch
from monitor.probing.run import probe_suite
from monitor.world import World


@dataclass(frozen=True, slots=True)
class Report:
    """What a cycle found."""

    verdict: Verdict
    measured: tuple[Measured, ...]
    swaps: tuple[Swap, ...]
    incident: Incident | None = None
    """The incident of the target, as the verdict left it."""


async def run_cycle(plan: Plan, world: World, *, watch: Watch = lambda _: None) -> Report:
    """Replay the suites, keep what came back, judge it against the baselines, queue what on-call must know."""
    cycle_id = uuid4().hex
    await refuse_beyond_budget(plan, world)
    measured = [await probe_suite(suite, plan, world, cycle_id, watch) for suite in plan.suites]
    baselines = [await load_baseline(each, plan, world.store) for each in measured]
    lasting = await world.store.find_incident(IncidentKind.REGRESSION, plan.target)
    looked = [
        await canaries.look_into(world.raw_retriever or world.retriever, each.suite, each.run) for each in measured
    ]
    noticed, look = await look_for_change(
        plan, measured, baselines, looked, world, incident_is_open=lasting is not None
    )

    # In a thread, so that meanwhile the daemon answers and other targets are probed.
    verdict = await asyncio.to_thread(decide, plan, measured, baselines, look, cycle_id=cycle_id, at=world.now())
    verdict = canaries.with_index_recall(verdict, measured, looked)
    if noticed:
        before = await load_before(noticed, measured, baselines, plan, world.store)
        verdict = await asyncio.to_thread(with_run_before, verdict, before, plan.policy)
    change = await paging.describe_change(measured, baselines, plan.target, world.store)
    incident = await paging.page(verdict, change, world.store, world.on_call, policy=plan.policy_name)
    world.wake()
    world.announce(noticed)
    return Report(verdict, tuple(measured), noticed, incident)
