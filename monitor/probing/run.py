"""One run: replay a suite, commit each outcome, measure it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from monitor.errors import StoreError
from monitor.evaluation.answers.measurements import answers_fingerprint
from monitor.evaluation.same_outcomes import are_same
from monitor.evaluation.scoring import fingerprint, measure
from monitor.model.measurements import Measured
from monitor.model.runs import Outcome, Run, RunStatus
from monitor.model.suites import Suite
from monitor.plan import Plan
from monitor.probing.grading import Grader, attach_grades, regrade_anchors
from monitor.probing.replay import Watch, replay
from monitor.world import Role, World


async def probe_suite(suite: Suite, plan: Plan, world: World, cycle_id: str, watch: Watch) -> Measured:
    """Replay one suite, commit its outcomes during the run, and measure it."""
    run = await begin_run(suite, plan, world, cycle_id)

    async def save(outcomes: Sequence[Outcome]) -> None:
        await world.store.save_outcomes(run.run_id, outcomes)

    try:
        endpoints = world.endpoints(run.depth, suite.name, plan.policy.context_window)
        outcomes = await replay(suite.queries, endpoints, save=save, watch=watch)
        return await finish_run(run, outcomes, suite, plan, world)
    except BaseException:  # a cancelled run must not look as if it were still running
        with suppress(StoreError):
            await world.store.interrupt_run(run.run_id, world.now())
        raise


async def begin_run(suite: Suite, plan: Plan, world: World, cycle_id: str) -> Run:
    """Store a new run with the status running."""
    run = Run(
        run_id=uuid4().hex,
        cycle_id=cycle_id,
        target=plan.target,
        suite_name=suite.name,
        suite_digest=suite.digest,
        axis=suite.axis,
        depth=plan.depth(suite),
        started_at=world.now(),
        owner=world.owner,
        corpus=suite.corpus,
    )
    await world.store.save_suite(suite)
    # A name that the target reports takes precedence over the declared deployment.
    return await world.store.start_run(run)


async def finish_run(run: Run, outcomes: tuple[Outcome, ...], suite: Suite, plan: Plan, world: World) -> Measured:
    """Grade the answers if a judge is configured, measure the run and store it as finished."""
    if world.judge is not None:
        grader = Grader(world.judge, world.store, world.now)
        graded = await grader.grade(suite.queries, outcomes)
        await world.store.save_grades(run.run_id, graded.grades)
        anchors = await regrade_anchors(grader, plan.target, suite, world.store)
        outcomes = attach_grades(outcomes, graded)
        run = replace(run, judge=world.judge.fingerprint, anchors=anchors)
    measured = _measured(run, outcomes, suite, plan, world)
    await world.store.finish_run(measured)
    return measured


def _measured(run: Run, outcomes: tuple[Outcome, ...], suite: Suite, plan: Plan, world: World) -> Measured:
    """The run with its measurements; those of the run before if it brought the same outcomes."""
    runs, key = world.latest.measured, (suite.digest, run.judge, *plan.measures)
    before = runs.find(Role.LATEST, suite.name, key)
    if before is not None and are_same(before.run.outcomes, outcomes):
        measured = replace(before, run=_finished(run, outcomes, world.now(), before.run))
    else:
        measured = measure(_finished(run, outcomes, world.now()), suite, plan.measures)
    runs.keep(Role.LATEST, suite.name, key, measured)
    return measured


def _finished(run: Run, outcomes: tuple[Outcome, ...], at: datetime, same: Run | None = None) -> Run:
    """The finished run; its fingerprints are those of a run with the same outcomes, where there is one."""
    rankings_fingerprint = same.fingerprint if same else fingerprint(outcomes)
    declared = {outcome.ranking.deployment for outcome in outcomes if outcome.ranking} - {None}
    corpora = {outcome.ranking.corpus for outcome in outcomes if outcome.ranking} - {None}
    return replace(
        run,
        outcomes=outcomes,
        status=RunStatus.FINISHED,
        finished_at=at,
        fingerprint=rankings_fingerprint,
        deployment=" + ".join(sorted(filter(None, declared))) or run.deployment or rankings_fingerprint,
        corpus=" + ".join(sorted(filter(None, corpora))) or run.corpus,
        answers=same.answers if same else answers_fingerprint(outcomes),
        answerer=same.answerer if same else _answerer(outcomes),
    )


def _answerer(outcomes: Sequence[Outcome]) -> str:
    """Models and deployments that the answers name."""
    answers = [outcome.reply.answer for outcome in outcomes if outcome.reply and outcome.reply.answer]
    names = {" ".join(filter(None, (answer.model, answer.deployment))) for answer in answers}
    return " + ".join(sorted(filter(None, names)))
