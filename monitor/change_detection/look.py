"""Decide whether a cycle needs the full comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.change_detection import monitor, swaps
from monitor.model.deployments import Swap
from monitor.model.measurements import Measured
from monitor.model.noise import Noise
from monitor.model.snapshots import Snapshot
from monitor.model.verdicts import Look
from monitor.plan import Plan
from monitor.probing import canaries
from monitor.world import World


async def look_for_change(
    plan: Plan,
    measured: Sequence[Measured],
    baselines: Sequence[Measured | None],
    looked: Sequence[Snapshot | None],
    world: World,
    *,
    incident_is_open: bool,
) -> tuple[tuple[Swap, ...], Look | None]:
    """Level 1: the swaps since the runs before, and the look that level 2 is to take, if there is reason for one."""
    noticed, kept = [], []
    for now, before, inside in zip(measured, baselines, looked, strict=True):
        state = await world.store.detector_state(plan.target, now.suite.name)
        noise = state.noise if state else Noise()
        if not plan.asked:
            noise = await monitor.learn_noise(state, now, plan.policy, world.endpoints(now.run.depth))
        swap = await notice_swap(now, inside, noise, world)
        noticed += [swap] if swap else []
        kept.append((now, monitor.keep(state, noise, now, before, swap, plan.policy)))
    if plan.asked:
        return tuple(noticed), Look(0, "asked for", plan.policy.alpha_page)
    look = monitor.look_at([each for _, each in kept], plan.policy, incident_is_open=incident_is_open, now=world.now())
    for now, each in kept:
        state = replace(each.state, looks=look.times if look else each.state.looks)
        await world.store.save_detector_state(plan.target, now.suite.name, state)
    return tuple(noticed), look


async def notice_swap(measured: Measured, looked: Snapshot | None, noise: Noise, world: World) -> Swap | None:
    """Compare with the run before, and keep what is found."""
    run = measured.run
    before = await world.store.snapshot(run.target, run.suite_name) if looked else None
    if looked:
        await world.store.save_snapshot(run, looked)
    previous = await world.store.latest_run(run.target, run.suite_name, before=run.started_at)
    if previous is None or previous.suite_digest != run.suite_digest:
        return None
    if swaps.is_same(previous, run):  # as nearly always: no need to load what it ranked
        return None
    previous = await world.store.load_run(previous.run_id)
    swap = swaps.detect(previous, run, at=world.now(), noise=noise)
    if swap is not None:
        swap = canaries.explain(swap, previous, run, measured.suite, before, looked)
        await world.store.save_swap(swap)
    return swap
