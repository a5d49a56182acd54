"""One pass of the line: probe → evaluate → keep → compare → decide → queue.

Everything that touches the world comes in through ``World``; everything that decides is pure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from monitor import canaries, paging, swaps, vigilance
from monitor.deciding import decide, with_run_before
from monitor.decision.routing import OnCall
from monitor.errors import BudgetError, StoreError
from monitor.evaluation.answered import answers_fingerprint
from monitor.evaluation.scoring import depth_of, fingerprint, measure
from monitor.grading import A_DAY, Grader, graded, regrade_anchors
from monitor.incident import Incident, IncidentKind
from monitor.model import Measured, Outcome, Run, RunStatus, Suite
from monitor.plan import Plan
from monitor.ports import Answerer, Judge, Retriever
from monitor.replay import Asked, Watch, replay
from monitor.snapshot import Snapshot
from monitor.store import Store
from monitor.verdict import Look, Swap, Verdict
from monitor.vigil import Noise


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside that a cycle needs."""

    store: Store
    retriever: Retriever
    on_call: OnCall
    now: Callable[[], datetime]
    owner: str
    """Host and process, so that a run left behind by a crash can be told."""
    wake: Callable[[], None] = lambda: None
    """Called when alerts may have been queued."""
    announce: Callable[[Sequence[Swap]], None] = lambda _: None
    """Called with the swaps that were noticed."""
    answerer: Answerer | None = None
    judge: Judge | None = None
    inside: Retriever | None = None
    """The retriever without what stands around it, where vectors can be looked at."""

    def asked(self, depth: int) -> Asked:
        """Whom a replay asks, for rankings of this depth."""
        return Asked(self.retriever, depth, self.answerer)


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
    looked = [await canaries.look_into(world.inside or world.retriever, each.suite, each.run) for each in measured]
    noticed, look = await look_for_change(
        plan, measured, baselines, looked, world, incident_is_open=lasting is not None
    )

    # In a thread, so that meanwhile the daemon answers and other targets are probed.
    verdict = await asyncio.to_thread(decide, plan, measured, baselines, look, cycle_id=cycle_id, at=world.now())
    verdict = canaries.with_index_recall(verdict, measured, looked)
    if noticed:
        before = await load_before(noticed, measured, baselines, plan, world.store)
        verdict = await asyncio.to_thread(with_run_before, verdict, before, plan.policy)
    change = await paging.what_changed(measured, baselines, plan.target, world.store)
    incident = await paging.page(verdict, change, world.store, world.on_call, policy=plan.policy_name)
    world.wake()
    world.announce(noticed)
    return Report(verdict, tuple(measured), noticed, incident)


async def refuse_beyond_budget(plan: Plan, world: World) -> None:
    """Raise BudgetError if the cycle would send more probes than the target may get in a day."""
    if plan.probes_per_day is None:
        return
    sent = await world.store.count_probes(plan.target, world.now() - A_DAY)
    wanted = sum(len(suite.queries) for suite in plan.suites)
    if sent + wanted > plan.probes_per_day:
        raise BudgetError(
            f"{plan.target} got {sent} probes in the last 24 hours and the cycle has {wanted} more; "
            f"targets.{plan.target}.limits.probes_per_day allows {plan.probes_per_day}"
        )


async def probe_suite(suite: Suite, plan: Plan, world: World, cycle_id: str, watch: Watch) -> Measured:
    """Replay one suite, committing every outcome as it comes, and measure it."""
    run = await begin_run(suite, plan, world, cycle_id)

    async def keep(outcomes: Sequence[Outcome]) -> None:
        await world.store.save_outcomes(run.run_id, outcomes)

    try:
        outcomes = await replay(suite.queries, world.asked(run.depth), keep=keep, watch=watch)
        return await finish_run(run, outcomes, suite, plan, world)
    except BaseException:  # a cancelled run, too, must not look as if it were still running
        with suppress(StoreError):
            await world.store.interrupt_run(run.run_id, world.now())
        raise


async def begin_run(suite: Suite, plan: Plan, world: World, cycle_id: str) -> Run:
    """A run that is kept as running from now on."""
    run = Run(
        run_id=uuid4().hex,
        cycle_id=cycle_id,
        target=plan.target,
        suite_name=suite.name,
        suite_digest=suite.digest,
        axis=suite.axis,
        depth=max(depth_of(plan.measures), suite.depth),
        started_at=world.now(),
        owner=world.owner,
        corpus=suite.corpus,
        deployment=await declared_deployment(plan.target, world.store),
    )
    await world.store.save_suite(suite)
    await world.store.start_run(run)
    return run


async def finish_run(run: Run, outcomes: tuple[Outcome, ...], suite: Suite, plan: Plan, world: World) -> Measured:
    """The run measured, its answers graded where there is a judge, kept as finished."""
    if world.judge is not None:
        grader = Grader(world.judge, world.store, world.now)
        grades = await grader.grade(suite.queries, outcomes)
        await world.store.save_grades(run.run_id, grades)
        anchors = await regrade_anchors(grader, plan.target, suite, world.store)
        outcomes = graded(outcomes, grades)
        run = replace(run, judge=world.judge.fingerprint, anchors=anchors)
    measured = measure(_finished(run, outcomes, world.now()), suite, plan.measures)
    await world.store.finish_run(measured)
    return measured


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
        vigil = await world.store.vigil(plan.target, now.suite.name)
        noise = vigil.noise if vigil else Noise()
        if not plan.asked:
            noise = await vigilance.learn_noise(vigil, now, plan.policy, world.asked(now.run.depth))
        swap = await notice_swap(now, inside, noise, world)
        noticed += [swap] if swap else []
        kept.append((now, vigilance.keep(vigil, noise, now, before, swap, plan.policy)))
    if plan.asked:
        return tuple(noticed), Look(0, "asked for", plan.policy.alpha_page)
    look = vigilance.look_at(
        [each for _, each in kept], plan.policy, incident_is_open=incident_is_open, now=world.now()
    )
    for now, each in kept:
        vigil = replace(each.vigil, looks=look.taken if look else each.vigil.looks)
        await world.store.save_vigil(plan.target, now.suite.name, vigil)
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


async def declared_deployment(target: str, store: Store) -> str:
    """What somebody said that the target serves, if anybody did; the target's own word comes first."""
    declared = await store.deployments(target, limit=1)
    return declared[0].name if declared else ""


def _finished(run: Run, outcomes: tuple[Outcome, ...], at: datetime) -> Run:
    seen = fingerprint(outcomes)
    declared = {outcome.ranking.deployment for outcome in outcomes if outcome.ranking} - {None}
    corpora = {outcome.ranking.corpus for outcome in outcomes if outcome.ranking} - {None}
    return replace(
        run,
        outcomes=outcomes,
        status=RunStatus.FINISHED,
        finished_at=at,
        fingerprint=seen,
        deployment=" + ".join(sorted(filter(None, declared))) or run.deployment or seen,
        corpus=" + ".join(sorted(filter(None, corpora))) or run.corpus,
        answers=answers_fingerprint(outcomes),
        answerer=_answerer(outcomes),
    )


def _answerer(outcomes: Sequence[Outcome]) -> str:
    """What wrote the answers, as far as they say so."""
    answers = [outcome.reply.answer for outcome in outcomes if outcome.reply and outcome.reply.answer]
    told = {" ".join(filter(None, (answer.model, answer.deployment))) for answer in answers}
    return " + ".join(sorted(filter(None, told)))
