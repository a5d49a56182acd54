"""One pass of the line: probe → measure → store → detect → decide → queue.

1. Refuse the cycle if it would exceed the daily number of probes for the target.
2. Probe each suite: replay it, store every outcome, measure the run, and load the baseline.
3. Learn the noise floor of the current deployment, if it is unknown.
4. Detect changes: a change beyond noise and churn triggers the full comparison.
5. Decide: evidence, verdict, incident and alerts, by pure functions. The same results repeat their verdict.
6. Store the decision in one transaction. If another process decided first, start again at 4.
7. Wake the outbox, which also announces the swaps.

``World`` holds everything outside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from monitor.alerting import paging
from monitor.alerting.titles import with_titles
from monitor.change_detection.look import Changes, detect_changes
from monitor.change_detection.noise import learn_noise
from monitor.decision.repetition import DecidedOn, decided_on, repeat
from monitor.decision.verdict import decide
from monitor.errors import StoreError
from monitor.model.decisions import Decision
from monitor.model.deployments import Swap
from monitor.model.incidents import Incident, IncidentKind
from monitor.model.measurements import Measured
from monitor.model.results import SuiteResult
from monitor.model.suites import Suite
from monitor.model.verdicts import Verdict
from monitor.plan import Plan
from monitor.probing import canaries
from monitor.probing.budget import refuse_beyond_budget
from monitor.probing.earlier_runs import load_baseline
from monitor.probing.remembered_reads import RememberingStore, with_memory
from monitor.probing.replay import Watch
from monitor.probing.run import probe_suite
from monitor.world import World


@dataclass(frozen=True, slots=True)
class Report:
    """The measurements and the verdict of one cycle."""

    verdict: Verdict
    measured: tuple[Measured, ...]
    swaps: tuple[Swap, ...]
    incident: Incident | None = None
    """The incident of the target after the verdict."""


async def run_cycle(plan: Plan, world: World, *, watch: Watch = lambda _: None) -> Report:
    """Replay the suites, store the results, judge them against the baselines, and queue the alerts."""
    cycle_id = uuid4().hex
    await refuse_beyond_budget(plan, world)
    world, store = with_memory(world, plan)
    results = [await probe(suite, plan, world, store, cycle_id, watch) for suite in plan.suites]
    if not plan.is_on_request:
        results = [await with_noise(result, plan, world) for result in results]
    report = None
    while report is None:
        await store.refresh()
        try:
            report = await decide_once(plan, results, world, cycle_id)
        except StoreError:  # another database may answer from now on, such as one restored from a backup
            world.latest.forget()
            raise
    world.wake()
    return report


async def probe(
    suite: Suite, plan: Plan, world: World, store: RememberingStore, cycle_id: str, watch: Watch
) -> SuiteResult:
    """One suite replayed and measured, with its baseline, the vectors of its canaries and the echoes that are due."""
    measured = await probe_suite(suite, plan, world, cycle_id, watch)
    await store.refresh()
    return SuiteResult(
        measured=measured,
        baseline=await load_baseline(measured, plan, world),
        snapshot=await canaries.observe(suite, measured.run, world),
    )


async def with_noise(result: SuiteResult, plan: Plan, world: World) -> SuiteResult:
    """The result with the noise floor of its target, learned by replays at first contact and after a swap."""
    measured = result.measured
    state = await world.store.detector_state(plan.target, measured.suite.name)
    endpoints = world.endpoints(measured.run.depth, measured.suite.name, plan.policy.context_window)
    noise = await learn_noise(state, measured, plan.policy, endpoints)
    return replace(result, noise=noise)


async def decide_once(plan: Plan, results: Sequence[SuiteResult], world: World, cycle_id: str) -> Report | None:
    """Detect, decide and store; None if another process decided about this target first."""
    open_incident = await world.store.find_incident(IncidentKind.REGRESSION, plan.target)
    changes = await detect_changes(plan, results, world, incident_is_open=open_incident is not None)
    verdict, inputs, repeats = await decide_or_repeat(plan, changes, world, cycle_id)
    change = await paging.describe_change(
        changes.results, changes.swaps, plan.target, world.store, fallen={each.suite for each in verdict.fallen}
    )
    incident, decision = await paging.conclude(verdict, change, world.store, world.on_call, policy=plan.policy_name)
    if not await world.store.save_decision(replace(with_changes(decision, changes), repeats=repeats)):
        return None
    if not repeats:
        world.latest.decided[suite_names_of(plan)] = inputs, verdict
    return Report(verdict, tuple(each.measured for each in results), changes.swaps, incident)


async def decide_or_repeat(
    plan: Plan, changes: Changes, world: World, cycle_id: str
) -> tuple[Verdict, DecidedOn, str]:  # fmt: skip
    """The verdict, its inputs, and the id of the stored verdict that it repeats, if it does."""
    causes = {swap.suite_name: swap.cause for swap in changes.swaps if swap.cause}
    recalls = canaries.index_recalls(changes.results)
    inputs = decided_on(
        plan, changes.results, changes.look, causes=causes, replicas=changes.replicas, index_recalls=recalls
    )
    before = world.latest.decided.get(suite_names_of(plan))
    if before is not None and before[0].is_same(inputs):
        verdict = repeat(before[1], changes.results, cycle_id=cycle_id, at=world.now())
        return verdict, inputs, before[1].verdict_id
    # In a thread, so that the daemon keeps serving requests and probing other targets.
    verdict = await asyncio.to_thread(
        decide,
        plan,
        changes.results,
        changes.look,
        cycle_id=cycle_id,
        at=world.now(),
        causes=causes,
        replicas=changes.replicas,
    )
    if recalls:
        verdict = replace(verdict, insights={**verdict.insights, canaries.INDEX_RECALL: recalls})
    if verdict.lost_queries:
        verdict = await asyncio.to_thread(with_titles, verdict, world.titles)
    return verdict, inputs, ""


def suite_names_of(plan: Plan) -> tuple[str, ...]:
    """The suites of a plan, by which its latest verdict is kept."""
    return tuple(suite.name for suite in plan.suites)


def with_changes(decision: Decision, changes: Changes) -> Decision:
    """The decision with the detector states, swaps and vectors that belong to it."""
    snapshots = tuple((each.measured.run, each.snapshot) for each in changes.results if each.snapshot)
    return replace(decision, states=changes.states or {}, swaps=changes.swaps, snapshots=snapshots)
