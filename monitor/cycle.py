"""One pass of the line: probe → evaluate → keep → compare → decide → queue.

Everything that touches the world comes in through ``World``; everything that decides is pure.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

import numpy as np

from monitor import paging, swaps, vigilance
from monitor.decision import judgement
from monitor.decision.comparison import METHOD, compare
from monitor.decision.explanation import lost_queries
from monitor.decision.pairing import paired_coverage
from monitor.decision.routing import OnCall
from monitor.errors import ComparisonError, StoreError
from monitor.evaluation.scoring import PAIR_MEASURES, REPORTED, depth_of, fingerprint, measure
from monitor.incident import Incident, IncidentKind
from monitor.model import Measured, Outcome, Run, RunStatus, Suite
from monitor.ports import Retriever, Store
from monitor.replay import Watch, replay
from monitor.verdict import Evidence, Look, Policy, Swap, Verdict
from monitor.vigil import Noise


@dataclass(frozen=True, slots=True)
class Plan:
    """What one cycle does: these suites against this target, judged by this policy."""

    target: str
    suites: tuple[Suite, ...]
    policy: Policy
    asked: bool = False
    """Whether a person asks for a verdict now; a schedule judges only what has changed."""
    policy_name: str = "default"

    @property
    def measures(self) -> tuple[str, ...]:
        """The rank measures to compute: those always reported, and those the policy gates on."""
        gated = (name for names in self.policy.gating.values() for name in names)
        return tuple(dict.fromkeys((*REPORTED, *(name for name in gated if name not in PAIR_MEASURES))))


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
    measured = [await probe_suite(suite, plan, world, cycle_id, watch) for suite in plan.suites]
    baselines = [await load_baseline(each, plan, world.store) for each in measured]
    lasting = await world.store.find_incident(IncidentKind.REGRESSION, plan.target)
    noticed, look = await look_for_change(plan, measured, baselines, world, incident_is_open=lasting is not None)

    # In a thread, so that meanwhile the daemon answers and other targets are probed.
    verdict = await asyncio.to_thread(decide, plan, measured, baselines, look, cycle_id=cycle_id, at=world.now())
    change = await paging.what_changed(measured, baselines, plan.target, world.store)
    incident = await paging.page(verdict, change, world.store, world.on_call, policy=plan.policy_name)
    world.wake()
    world.announce(noticed)
    return Report(verdict, tuple(measured), noticed, incident)


async def probe_suite(suite: Suite, plan: Plan, world: World, cycle_id: str, watch: Watch) -> Measured:
    """Replay one suite, committing every outcome as it comes, and measure it."""
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
    )
    await world.store.save_suite(suite)
    await world.store.start_run(run)

    async def keep(outcomes: Sequence[Outcome]) -> None:
        await world.store.save_outcomes(run.run_id, outcomes)

    try:
        outcomes = await replay(suite.queries, world.retriever, depth=run.depth, keep=keep, watch=watch)
        measured = measure(_finished(run, outcomes, world.now()), suite, plan.measures)
        await world.store.finish_run(measured)
    except BaseException:  # a cancelled run, too, must not look as if it were still running
        with suppress(StoreError):
            await world.store.interrupt_run(run.run_id, world.now())
        raise
    return measured


async def look_for_change(
    plan: Plan,
    measured: Sequence[Measured],
    baselines: Sequence[Measured | None],
    world: World,
    *,
    incident_is_open: bool,
) -> tuple[tuple[Swap, ...], Look | None]:
    """Level 1: the swaps since the runs before, and the look that level 2 is to take, if there is reason for one."""
    noticed, kept = [], []
    for now, before in zip(measured, baselines, strict=True):
        vigil = await world.store.vigil(plan.target, now.suite.name)
        noise = vigil.noise if vigil else Noise()
        if not plan.asked:
            noise = await vigilance.learn_noise(vigil, now, plan.policy, world.retriever)
        swap = await notice_swap(now.run, noise, world)
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


async def notice_swap(run: Run, noise: Noise, world: World) -> Swap | None:
    """Compare with the run before, and keep what is found."""
    previous = await world.store.latest_run(run.target, run.suite_name, before=run.started_at)
    if previous is None or previous.suite_digest != run.suite_digest:
        return None
    if previous.fingerprint == run.fingerprint:  # as nearly always: no need to load what it ranked
        return None
    previous = await world.store.load_run(previous.run_id)
    swap = swaps.detect(previous, run, at=world.now(), noise=noise.share_changed)
    if swap is not None:
        await world.store.save_swap(swap)
    return swap


async def load_baseline(candidate: Measured, plan: Plan, store: Store) -> Measured | None:
    """The baseline of the candidate's target and suite, measured anew by the suite it was replayed from."""
    baseline = await store.baseline(plan.target, candidate.suite.name)
    if baseline is None:
        return None
    run = await store.load_run(baseline.run_id)
    return measure(run, await store.load_suite(run.suite_digest), plan.measures)


def decide(
    plan: Plan,
    measured: Sequence[Measured],
    baselines: Sequence[Measured | None],
    look: Look | None,
    *,
    cycle_id: str,
    at: datetime,
) -> Verdict:
    """The verdict on one cycle. Pure: the same runs and policy give the same verdict, to the last digit."""
    policy = replace(plan.policy, alpha_page=look.alpha) if look else plan.policy
    judged = [(before, after) for before, after in zip(baselines, measured, strict=True) if before]
    seed = seed_of(judged)
    judgement_, evidence = weigh(judged, measured, policy, seed, may_page=look is not None)
    return Verdict(
        verdict_id=uuid4().hex,
        cycle_id=cycle_id,
        target=plan.target,
        name=judgement_.name,
        summary=judgement_.summary,
        advice=judgement_.advice,
        evidence=evidence,
        run_ids=tuple(each.run.run_id for each in measured),
        baseline_run_ids=tuple(before.run.run_id for before, _ in judged),
        policy=policy,
        policy_digest=judgement.digest_of(plan.policy),
        seed=seed,
        method=METHOD,
        decided_at=at,
        look=look.number if look else 0,
        look_reason=look.why if look else "",
        lost_queries=lost_queries(judged) if judgement_.name.pages else (),
    )


def weigh(
    judged: Sequence[tuple[Measured, Measured]],
    measured: Sequence[Measured],
    policy: Policy,
    seed: int,
    *,
    may_page: bool = True,
) -> tuple[judgement.Judgement, tuple[Evidence, ...]]:
    """Judgement and evidence: invalid first, then what the evidence says."""
    for each in measured:
        if refused := judgement.refuse_coverage(each.counts.coverage, each.suite.name, each.counts, policy):
            return refused, ()
    if not judged:
        return judgement.no_baseline([each.suite.name for each in measured]), ()
    try:
        evidence = tuple(compare(judged, policy, rng=np.random.default_rng(seed)))
    except ComparisonError as error:
        return judgement.not_comparable(str(error)), ()
    for before, after in judged:
        share = paired_coverage(before, after)
        if refused := judgement.refuse_coverage(share, after.suite.name, after.counts, policy):
            return refused, evidence
    return judgement.judge(evidence, policy, may_page=may_page), evidence


def seed_of(judged: Sequence[tuple[Measured, Measured]]) -> int:
    """A seed that follows from the rankings themselves: judging the same results twice is one look, not two."""
    content = "".join(before.run.fingerprint + after.run.fingerprint for before, after in judged)
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:7])


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
        deployment=" + ".join(sorted(filter(None, declared))) or seen,
        corpus=" + ".join(sorted(filter(None, corpora))) or run.corpus,
    )
