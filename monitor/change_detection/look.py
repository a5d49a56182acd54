"""Decide whether a cycle needs the full comparison, and at which error level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.change_detection import monitor, swaps
from monitor.change_detection.monitor import Detection
from monitor.change_detection.noise import gating_means
from monitor.change_detection.summary import SuiteRuns, identity_of
from monitor.errors import NotStoredError
from monitor.evaluation.scoring import measure
from monitor.model.deployments import Swap
from monitor.model.measurements import Measured
from monitor.model.noise import DetectorState, JudgedResult
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.model.runs import Run
from monitor.model.verdicts import Look
from monitor.plan import Plan
from monitor.probing import canaries
from monitor.statistics.error_budget import alpha_of_silent_look, can_reach, within_a_year
from monitor.world import Role, World

ON_REQUEST = "on request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The outcome of change detection in one cycle."""

    results: tuple[SuiteResult, ...]
    """The results, each with the previous run if the look compares with it."""
    swaps: tuple[Swap, ...] = ()
    look: Look | None = None
    """The full comparison that may page; None if nothing changed beyond noise and churn."""
    states: Mapping[str, DetectorState] | None = None
    """The next detector state of each suite; None for a request by a person, which does not change it."""
    replicas: int = 0
    """Number of times that replaced results came back, if replicas behind one address explain them."""


async def detect_changes(
    plan: Plan, results: Sequence[SuiteResult], world: World, *, incident_is_open: bool
) -> Changes:
    """Compare each run with the previous run and with its baseline, and choose the look.

    1. Load the detector state and the previous run.
    2. Detect the same results, a change within noise and churn, or a change beyond both.
    3. Choose one look for the whole cycle, and pay for it from the error budget.
    """
    # On request the latest run counts, which may be newer than the detector's previous one.
    states = [
        None if plan.is_on_request else await world.store.detector_state(plan.target, each.measured.suite.name)
        for each in results
    ]
    previous = [await _load_previous(each, state, world) for each, state in zip(results, states, strict=True)]
    detections = [
        _detect(each, state, run, plan, world.now()) for each, state, run in zip(results, states, previous, strict=True)
    ]
    observed = [
        await _observe(detection.swap, run, each, world)
        for detection, run, each in zip(detections, previous, results, strict=True)
    ]
    explained = tuple(swap for swap, _ in observed if swap)
    results = [result for _, result in observed]
    if plan.is_on_request:
        return Changes(results=tuple(results), swaps=explained, look=Look(0, ON_REQUEST, plan.policy.alpha_page))
    look = choose_look(detections, plan.policy, incident_is_open=incident_is_open, now=world.now())
    compared = [
        await _with_previous(each, detection, plan, world) for each, detection in zip(results, detections, strict=True)
    ]
    return Changes(
        results=tuple(compared),
        swaps=explained,
        look=look,
        states={
            each.measured.suite.name: next_state(detection, look)
            for each, detection in zip(results, detections, strict=True)
        },
        replicas=max((each.state.returns for each in detections if monitor.is_replicated(each.state)), default=0),
    )


def choose_look(
    detections: Sequence[Detection], policy: Policy, *, incident_is_open: bool, now: datetime
) -> Look | None:
    """One look for all suites of a cycle.

    A declared swap is judged at the full page level; a silent change spends from the yearly budget, unless too few
    clusters changed for any test to page. Results that were judged before keep their level. On a noisy or
    churning target a cycle without a change has no look, unless an incident is open.
    """
    silent_looks = max((within_a_year(each.state.looks, now) for each in detections), key=len, default=())
    reasons = "; ".join(each.reason for each in detections if each.reason)
    if any(each.reason and each.is_declared for each in detections):
        return Look(0, reasons, policy.alpha_page, silent_looks)
    if reasons:
        number = len(silent_looks) + 1
        alpha = alpha_of_silent_look(number, alpha_page=policy.alpha_page, alpha_year=policy.alpha_year)
        is_free = not any(can_reach(alpha, each.changed_clusters) for each in detections)
        return Look(number, reasons, alpha, silent_looks if is_free else (*silent_looks, now))
    judged = [each.judged for each in detections if each.judged]
    if judged:
        latest = min(judged, key=lambda each: each.alpha)
        return Look(latest.number, latest.reason, latest.alpha, silent_looks)
    is_settled = all(each.state.noise.is_quiet and each.is_same_as_baseline for each in detections)
    if is_settled or incident_is_open:
        number = len(silent_looks)
        alpha = alpha_of_silent_look(max(number, 1), alpha_page=policy.alpha_page, alpha_year=policy.alpha_year)
        return Look(number, "nothing changed since the last look", alpha, silent_looks)
    return None


def next_state(detection: Detection, look: Look | None) -> DetectorState:
    """The state to store: with the spent looks, and with this result if a look judged it."""
    state = replace(detection.state, revision=detection.state.revision + 1)
    if look is None:
        return state
    state = replace(state, looks=look.times)
    if not detection.reason:
        return state
    return monitor.remember(
        state,
        JudgedResult(number=look.number, reason=look.why, alpha=look.alpha, previous_run_id=detection.compares_with),
    )


def _detect(
    result: SuiteResult, state: DetectorState | None, previous: Run | None, plan: Plan, at: datetime
) -> Detection:
    run = result.measured.run
    swap = swaps.detect(previous, run, at=at, noise=result.noise) if previous else None
    # Churn is learned from the steps of the means, and only on targets without noise.
    is_measured = previous and result.noise.is_quiet
    means = gating_means(_measured(previous, result, plan), plan.policy) if previous and is_measured else None
    runs = SuiteRuns(measured=result.measured, baseline=result.baseline, previous=previous, previous_means=means)
    return monitor.detect(state, result.noise, runs, swap, plan.policy)


async def _load_previous(result: SuiteResult, state: DetectorState | None, world: World) -> Run | None:
    """The previous run with its outcomes; None if it has the same results or another suite version."""
    run = result.measured.run
    if state is not None and state.identity == identity_of(result.measured, result.noise):
        return None
    latest = await _run_before(state.run_id if state else "", run, world)
    if latest is None or latest.suite_digest != run.suite_digest or swaps.is_same(latest, run):
        return None
    return latest if latest.outcomes else await _stored_run(latest.run_id, world)


async def _stored_run(run_id: str, world: World) -> Run | None:
    """The run with its outcomes; None if it is no longer stored, or without its rankings."""
    try:
        run = await world.store.load_run(run_id)
    except NotStoredError:
        return None
    return None if run.dropped_at else run


async def _run_before(run_id: str, run: Run, world: World) -> Run | None:
    """The run with this id; without an id, the latest finished run."""
    if run_id:
        return await _stored_run(run_id, world)
    return await world.store.latest_run(run.target, run.suite_name, before=run.started_at)


async def _observe(
    swap: Swap | None, previous: Run | None, result: SuiteResult, world: World
) -> tuple[Swap | None, SuiteResult]:
    """The swap with its likely cause, and the result with the snapshot after the swap; unchanged without a swap."""
    if swap is None or previous is None:
        return None, result
    explained, snapshot = await canaries.observe_swap(swap, previous, result, world)
    return explained, replace(result, snapshot=snapshot)


async def _with_previous(result: SuiteResult, detection: Detection, plan: Plan, world: World) -> SuiteResult:
    """The result with the measured run before the change, if the look compares with it."""
    run_id = detection.compares_with or (detection.judged.previous_run_id if detection.judged else "")
    if not run_id:
        return result
    suite = result.measured.suite
    key = (run_id, suite.digest, *plan.measures)
    measured = world.latest.measured.find(Role.PREVIOUS, suite.name, key)
    if measured is None:
        run = await _stored_run(run_id, world)
        if run is None:
            return result
        measured = _measured(run, result, plan)
        world.latest.measured.keep(Role.PREVIOUS, suite.name, key, measured)
    return replace(result, previous=measured)


def _measured(run: Run, result: SuiteResult, plan: Plan) -> Measured:
    return measure(run, result.measured.suite, plan.measures)
