"""Comparison of two live targets, before one replaces the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from monitor.change_detection.look import ON_REQUEST
from monitor.cli.progress import probe_progress
from monitor.cli.result import Result, exit_code_of
from monitor.cli.url_targets import load_with_targets
from monitor.decision.verdict import decide
from monitor.errors import ConfigError, StoreError
from monitor.model.decisions import Decision
from monitor.model.measurements import Measured
from monitor.model.results import SuiteResult
from monitor.model.suites import Suite
from monitor.model.verdicts import Look
from monitor.plan import Plan
from monitor.probing.budget import refuse_beyond_budget
from monitor.probing.replay import Watch
from monitor.probing.run import begin_run, finish_run
from monitor.probing.side_by_side import replay_both
from monitor.reports import terminal
from monitor.service import wiring
from monitor.world import World


async def compare_targets(path: Path, baseline: str, candidate: str, suites: tuple[str, ...], policy: str) -> Result:
    """Send both targets the same queries side by side, and compare the candidate with the baseline."""
    checked = load_with_targets(path, baseline, candidate)
    plans = [wiring.plan_for(checked, target, suites, policy) for target in (baseline, candidate)]
    _refuse_chains(plans[1].suites)
    clients = [wiring.connect(checked, plan.target) for plan in plans]
    cycle_id = uuid4().hex
    n_probes = 2 * sum(len(suite.queries) for suite in plans[1].suites)
    async with wiring.open_store(checked.config) as store:
        worlds = [wiring.world_of(checked, client, store) for client in clients]
        try:
            for plan, world in zip(plans, worlds, strict=True):
                await refuse_beyond_budget(plan, world)
            with probe_progress(f"{baseline} and {candidate}", n_probes) as watch:
                measured = [await _probe_both(suite, plans, worlds, cycle_id, watch) for suite in plans[1].suites]
        finally:
            await asyncio.gather(*(client.close() for client in clients))
        results = [SuiteResult(measured=pair[1], baseline=pair[0]) for pair in measured]
        look = Look(0, ON_REQUEST, plans[1].policy.alpha_page)
        verdict = decide(plans[1], results, look, cycle_id=cycle_id, at=wiring.utc_now())
        await store.save_decision(Decision(verdict=verdict))
    tables = [table for pair in measured for each in pair for table in terminal.run_tables(each)]
    data = terminal.verdict_to_dict(verdict)
    data["runs"] = [terminal.run_to_dict(each) for pair in measured for each in pair]
    is_covered = all(each.counts.coverage >= plans[1].policy.coverage_floor for pair in measured for each in pair)
    return Result([*tables, terminal.verdict_text(verdict)], data, exit_code_of(verdict, is_covered=is_covered))


async def _probe_both(
    suite: Suite, plans: Sequence[Plan], worlds: Sequence[World], cycle_id: str, watch: Watch
) -> tuple[Measured, Measured]:
    runs = [await begin_run(suite, plan, world, cycle_id) for plan, world in zip(plans, worlds, strict=True)]
    endpoints = [world.endpoints(run.depth) for run, world in zip(runs, worlds, strict=True)]
    try:
        both = await replay_both(suite.queries, *endpoints, watch=watch)
        measured = []
        for run, outcomes, plan, world in zip(runs, both, plans, worlds, strict=True):
            await world.store.save_outcomes(run.run_id, outcomes)
            measured.append(await finish_run(run, outcomes, suite, plan, world))
    except BaseException:
        for run in runs:
            with suppress(StoreError):
                await worlds[0].store.interrupt_run(run.run_id, worlds[0].now())
        raise
    return measured[0], measured[1]


def _refuse_chains(suites: Sequence[Suite]) -> None:
    for suite in suites:
        if any(query.follows for query in suite.queries):
            raise ConfigError("--suite", f"{suite.name} has queries that follow an answer; they cannot be interleaved")
