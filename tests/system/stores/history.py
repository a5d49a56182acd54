"""A short history in a real store: runs with failures and answers, verdicts, an incident, over several months."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from monitor.decision.verdict import decide
from monitor.evaluation.scoring import fingerprint, measure
from monitor.model.answers import Answer, Grades, Reply
from monitor.model.decisions import Decision
from monitor.model.deployments import Baseline
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.model.runs import Outcome, Run, RunStatus
from monitor.model.suites import Suite
from monitor.model.verdicts import Look
from monitor.plan import Plan
from monitor.ports.store import Store
from monitor.testing.runs import a_run, a_suite, outcomes_of

POLICY = Policy(resamples=199)


async def save_run(store: Store, suite: Suite, run_id: str, *, day: int, are_found: bool = True) -> Measured:
    """Save a finished run of a day, with a failure, and answers of which one is graded."""
    started = a_run(suite, run_id)
    run = replace(started, started_at=started.started_at + timedelta(days=day))
    outcomes = tuple(map(_answered, outcomes_of(suite, are_found=are_found, failing=1)))
    await store.save_suite(suite)
    await store.start_run(run)
    for start in range(0, len(outcomes), 10):
        await store.save_outcomes(run_id, outcomes[start : start + 10])
    grades = {suite.queries[1].query_id: Grades("judge-1", (0.25, 1 / 3))}
    await store.save_grades(run_id, grades)
    done = replace(
        run,
        outcomes=tuple(_graded(outcome, grades) for outcome in outcomes),
        status=RunStatus.FINISHED,
        finished_at=run.started_at,
        fingerprint=fingerprint(outcomes),
        deployment="v1",
        answers="answers",
        judge="judge-1",
    )
    measured = measure(done, suite)
    await store.finish_run(measured)
    return measured


def _answered(outcome: Outcome) -> Outcome:
    if outcome.ranking is None:
        return outcome
    return replace(outcome, reply=Reply(answer=Answer(text=f"yes, {outcome.query_id}", model="m"), duration_s=0.5))


def _graded(outcome: Outcome, grades: dict[str, Grades]) -> Outcome:
    if outcome.reply is None:
        return outcome
    return replace(outcome, reply=replace(outcome.reply, grades=grades.get(outcome.query_id)))


async def write_history(store: Store, *, days: tuple[int, ...] = (0, 40, 80)) -> list[str]:
    """A baseline on the first day, and a run with its verdict on each of the days; return the run ids."""
    suite = a_suite(60)
    baseline = await save_run(store, suite, "trusted", day=days[0])
    await promote(store, baseline.run)
    run_ids = ["trusted"]
    for number, day in enumerate(days):
        run_id = f"run-{number}"
        measured = await save_run(store, suite, run_id, day=day, are_found=number % 2 == 0)
        await save_verdict(store, baseline, measured)
        run_ids.append(run_id)
    return run_ids


async def promote(store: Store, run: Run) -> None:
    """Make a run the baseline."""
    await store.promote(
        Baseline(
            target=run.target,
            suite_name=run.suite_name,
            run_id=run.run_id,
            promoted_by="ada",
            reason="checked",
            promoted_at=run.started_at,
        )
    )


async def save_verdict(store: Store, before: Measured, after: Measured) -> None:
    """Decide about a run and store the verdict."""
    plan = Plan(target=after.run.target, suites=(after.suite,), policy=POLICY)
    verdict = decide(
        plan,
        [SuiteResult(measured=after, baseline=before)],
        Look(1, "a swap", POLICY.alpha_page),
        cycle_id=after.run.run_id,
        at=after.run.started_at,
    )
    assert verdict.evidence
    assert await store.save_decision(Decision(verdict=verdict))
