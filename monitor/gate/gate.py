"""A gate: ask a candidate the queries of its suites until the answer is clear, and decide.

1. Refuse a gate without a baseline if one is required, and one beyond the budget of a target.
2. Replay each suite in batches. With early stopping, stop after the batch that makes a regression clear.
3. Decide, and store the verdict. A gate opens no incident: the candidate is not in production.

Early stopping and the final test each get half of the policy's ``alpha_page``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import uuid4

from monitor.change_detection.look import ON_REQUEST
from monitor.decision.verdict import decide
from monitor.errors import ComparisonError, StoreError
from monitor.evaluation.scoring import measure
from monitor.gate.stopping import batches, is_clear
from monitor.model.decisions import Decision
from monitor.model.gates import GateReport, GateRules
from monitor.model.measurements import Measured
from monitor.model.results import SuiteResult
from monitor.model.runs import Outcome, Run
from monitor.model.suites import Query, Suite
from monitor.model.verdicts import Look, Verdict
from monitor.plan import Plan
from monitor.probing.budget import refuse_beyond_budget
from monitor.probing.earlier_runs import load_trusted
from monitor.probing.replay import Watch, replay
from monitor.probing.run import begin_run, finish_run
from monitor.probing.side_by_side import replay_both
from monitor.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePlan:
    """What a gate compares: a candidate with the promoted baseline of a target, or with a live one."""

    plan: Plan
    """The suites and the policy; its target is the candidate."""
    trusted: str
    """The target whose promoted baseline counts; the live baseline, if there is one."""
    rules: GateRules = field(default_factory=GateRules)
    is_sequential: bool = True
    """Whether to stop asking as soon as a regression is clear."""


@dataclass(slots=True)
class _Side:
    """One target in a gate, with its run and the outcomes so far."""

    plan: Plan
    world: World
    run: Run
    outcomes: list[Outcome] = field(default_factory=list)

    def measured(self, suite: Suite) -> Measured:
        """The outcomes so far, measured; the queries that were not asked count as skipped."""
        return measure(replace(self.run, outcomes=self.all_outcomes(suite)), suite, self.plan.measures)

    def all_outcomes(self, suite: Suite) -> tuple[Outcome, ...]:
        """One outcome for each query."""
        return (*self.outcomes, *self.skipped(suite))

    def skipped(self, suite: Suite) -> tuple[Outcome, ...]:
        """An outcome for each query that was not asked."""
        query_ids = {outcome.query_id for outcome in self.outcomes}
        return tuple(Outcome(query_id=each.query_id) for each in suite.queries if each.query_id not in query_ids)


async def run_gate(
    gate: GatePlan, candidate: World, live: World | None = None, *, watch: Watch = lambda _: None
) -> GateReport:
    """Probe the candidate, and a live baseline if there is one, and decide."""
    await _refuse(gate, candidate, live)
    cycle_id = uuid4().hex
    results: list[SuiteResult] = []
    verdict = None
    for suite in gate.plan.suites:
        result, verdict = await _ask(suite, gate, [live, candidate] if live else [candidate], cycle_id, results, watch)
        results.append(result)
        if verdict is not None:
            break
    verdict = verdict or await _decide(gate, results, candidate, cycle_id)
    n_queries = sum(query.is_judged for suite in gate.plan.suites for query in suite.queries)
    report = GateReport(
        verdict=verdict, measured=tuple(each.measured for each in results), rules=gate.rules, n_queries=n_queries
    )
    if report.verdict.name.pages and report.n_asked < n_queries:
        note = f"Stopped early: the answer was clear after {report.n_asked:,} of {n_queries:,} queries."
        report = replace(report, verdict=replace(verdict, summary=f"{verdict.summary} {note}"))
    await candidate.store.save_decision(Decision(verdict=report.verdict))
    return report


async def _refuse(gate: GatePlan, candidate: World, live: World | None) -> None:
    """Raise ComparisonError without a required baseline, and BudgetError beyond the budget of a target."""
    if live is None and gate.rules.require_baseline:
        await _refuse_without_baseline(gate, candidate)
    for target, world in ((gate.plan.target, candidate), (gate.trusted, live)):
        if world is not None:
            await refuse_beyond_budget(replace(gate.plan, target=target), world)


async def _refuse_without_baseline(gate: GatePlan, world: World) -> None:
    for suite in gate.plan.suites:
        if await world.store.baseline(gate.trusted, suite.name) is None:
            problem = f"{gate.trusted} has no baseline for suite {suite.name}, and one is required"
            raise ComparisonError(f"{problem}: promote a run with `recallwatch baseline promote`")


async def _ask(
    suite: Suite, gate: GatePlan, worlds: Sequence[World], cycle_id: str, earlier: Sequence[SuiteResult], watch: Watch
) -> tuple[SuiteResult, Verdict | None]:
    """Replay one suite in batches; with the verdict, if it became clear before the end."""
    plans = [replace(gate.plan, target=gate.trusted), gate.plan][-len(worlds) :]
    sides = [
        _Side(plan, world, await begin_run(suite, plan, world, cycle_id))
        for plan, world in zip(plans, worlds, strict=True)
    ]
    promoted = None if len(sides) == 2 else await load_trusted(gate.trusted, suite.name, gate.plan, worlds[-1].store)
    verdict, parts = None, batches(suite) if gate.is_sequential else [list(suite.queries)]
    try:
        for number, queries in enumerate(parts, start=1):
            await _replay(queries, sides, watch)
            baseline = promoted or (sides[0].measured(suite) if len(sides) == 2 else None)
            if baseline and number < len(parts):
                verdict = await _clear_verdict(baseline, sides[-1], suite, gate, earlier)
            if verdict is not None:
                break
        measured = [await _finish(side, suite) for side in sides]
    except BaseException:
        for side in sides:
            with suppress(StoreError):
                await side.world.store.interrupt_run(side.run.run_id, side.world.now())
        raise
    result = SuiteResult(measured=measured[-1], baseline=promoted or (measured[0] if len(measured) == 2 else None))
    if verdict is not None:  # again, on the runs as they are stored
        verdict = await _decide(gate, [*earlier, result], worlds[-1], cycle_id)
    return result, verdict


async def _clear_verdict(
    baseline: Measured, candidate: _Side, suite: Suite, gate: GatePlan, earlier: Sequence[SuiteResult]
) -> Verdict | None:
    """The verdict on the queries so far, if it is a regression that is established however often one looks."""
    measured = candidate.measured(suite)
    alpha = gate.plan.policy.alpha_page / 2 / len(gate.plan.suites)
    try:
        if not await asyncio.to_thread(is_clear, baseline, measured, gate.plan.policy, alpha=alpha):
            return None
    except ComparisonError:
        return None  # the whole suite is asked, and the verdict says why the runs cannot be compared
    results = [*earlier, SuiteResult(measured=measured, baseline=baseline)]
    verdict = await _decide(gate, results, candidate.world, candidate.run.cycle_id)
    return verdict if verdict.name.pages else None


async def _decide(gate: GatePlan, results: Sequence[SuiteResult], world: World, cycle_id: str) -> Verdict:
    alpha = gate.plan.policy.alpha_page / (2 if gate.is_sequential else 1)
    look = Look(0, ON_REQUEST, alpha)
    return await asyncio.to_thread(decide, gate.plan, results, look, cycle_id=cycle_id, at=world.now())


async def _replay(queries: Sequence[Query], sides: Sequence[_Side], watch: Watch) -> None:
    """Send a batch to every side, and commit its outcomes."""
    endpoints = [
        side.world.endpoints(side.run.depth, side.run.suite_name, side.plan.policy.context_window) for side in sides
    ]
    if len(sides) == 2:
        both = await replay_both(queries, *endpoints, watch=watch)
        for side, outcomes in zip(sides, both, strict=True):
            await side.world.store.save_outcomes(side.run.run_id, outcomes)
            side.outcomes += outcomes
        return
    side = sides[0]

    async def save(outcomes: Sequence[Outcome]) -> None:
        await side.world.store.save_outcomes(side.run.run_id, outcomes)

    side.outcomes += await replay(queries, endpoints[0], save=save, watch=watch)


async def _finish(side: _Side, suite: Suite) -> Measured:
    """Store the queries that were not asked as skipped, and finish the run."""
    if skipped := side.skipped(suite):
        await side.world.store.save_outcomes(side.run.run_id, skipped)
    return await finish_run(side.run, side.all_outcomes(suite), suite, side.plan, side.world)
