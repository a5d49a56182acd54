"""Comparing two live targets before one takes the other's place."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from monitor.cli.result import Result
from monitor.cli.runs import exit_code_of, parts_for, progress
from monitor.decision.verdict import decide
from monitor.errors import ConfigError, StoreError
from monitor.model.decisions import Decision
from monitor.model.measurements import Measured
from monitor.model.results import SuiteResult
from monitor.model.suites import Suite
from monitor.model.verdicts import Look
from monitor.plan import Plan
from monitor.ports.store import Store
from monitor.probing.budget import refuse_beyond_budget
from monitor.probing.replay import Watch
from monitor.probing.run import begin_run, finish_run
from monitor.probing.side_by_side import replay_both
from monitor.reports import terminal
from monitor.service import abandoned_runs, wiring
from monitor.world import World


async def compare_targets(
    path: Path, baseline: str, candidate: str, suites: tuple[str, ...], policy: str
) -> Result:  # fmt: skip
    """Ask two targets the same queries side by side, and judge the candidate by the baseline."""
    parts = parts_for(path, baseline, candidate)
    plans = [wiring.plan_for(parts, target, suites, policy) for target in (baseline, candidate)]
    _refuse_chains(plans[1].suites)
    lives = [wiring.connect(parts, plan.target) for plan in plans]
    cycle_id = uuid4().hex
    async with wiring.open_store(parts.config) as store:
        worlds = [_world(parts, live, store) for live in lives]
        try:
            for plan, world in zip(plans, worlds, strict=True):
                await refuse_beyond_budget(plan, world)
            with progress(
                f"{baseline} and {candidate}", 2 * sum(len(suite.queries) for suite in plans[1].suites)
            ) as watch:
                measured = [await _probe_both(suite, plans, worlds, cycle_id, watch) for suite in plans[1].suites]
        finally:
            await asyncio.gather(*(live.close() for live in lives))
        results = [SuiteResult(measured=after, baseline=before) for before, after in measured]
        look = Look(0, "asked for", plans[1].policy.alpha_page)
        verdict = decide(plans[1], results, look, cycle_id=cycle_id, at=wiring.utc_now())
        await store.save_decision(Decision(verdict=verdict))
    tables = [table for pair in measured for each in pair for table in terminal.run_tables(each)]
    data = terminal.verdict_to_dict(verdict) | {
        "runs": [terminal.run_to_dict(each) for pair in measured for each in pair]
    }
    covered = all(each.counts.coverage >= plans[1].policy.coverage_floor for pair in measured for each in pair)
    return Result([*tables, terminal.verdict_text(verdict)], data, exit_code_of(verdict, is_covered=covered))


async def _probe_both(
    suite: Suite, plans: Sequence[Plan], worlds: Sequence[World], cycle_id: str, watch: Watch
) -> tuple[Measured, Measured]:
    runs = [await begin_run(suite, plan, world, cycle_id) for plan, world in zip(plans, worlds, strict=True)]
    asked = [world.endpoints(run.depth) for run, world in zip(runs, worlds, strict=True)]
    try:
        outcomes = await replay_both(suite.queries, *asked, watch=watch)
        found = []
        for run, each, plan, world in zip(runs, outcomes, plans, worlds, strict=True):
            await world.store.save_outcomes(run.run_id, each)
            found.append(await finish_run(run, each, suite, plan, world))
    except BaseException:
        for run in runs:
            with suppress(StoreError):
                await worlds[0].store.interrupt_run(run.run_id, worlds[0].now())
        raise
    return found[0], found[1]


def _world(parts: wiring.CheckedConfig, live: wiring.TargetClients, store: Store) -> World:
    world = World(store, live.retriever, parts.config.on_call, wiring.utc_now, abandoned_runs.this_process())
    return replace(world, answerer=live.answerer, judge=live.judge)


def _refuse_chains(suites: Sequence[Suite]) -> None:
    for suite in suites:
        if any(query.follows for query in suite.queries):
            raise ConfigError("--suite", f"{suite.name} has queries that follow an answer; they cannot be interleaved")
