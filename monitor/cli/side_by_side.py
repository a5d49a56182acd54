"""Comparison of two live targets, before one replaces the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from monitor.change_detection.look import ON_REQUEST
from monitor.cli.context_replay import replay_pair
from monitor.cli.progress import probe_progress
from monitor.cli.result import Result, exit_code_of
from monitor.cli.url_targets import load_with_targets
from monitor.decision.verdict import decide
from monitor.errors import StoreError
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
from monitor.reports.comparison import verdict_text
from monitor.service import wiring
from monitor.world import ContextTexts, World


async def compare_targets(
    path: Path,
    baseline: str,
    candidate: str,
    suites: tuple[str, ...],
    policy: str,
    *,
    attribution: bool = False,
    is_whole: bool = False,
    with_bounds: bool = False,
) -> Result:
    """Send both targets the same queries side by side, and compare the candidate with the baseline."""
    checked = load_with_targets(path, baseline, candidate)
    plans = [wiring.plan_for(checked, target, suites, policy) for target in (baseline, candidate)]
    clients = {plan.target: wiring.connect(checked, plan.target) for plan in plans}
    async with wiring.open_store(checked.config) as store:
        worlds = [wiring.world_of(checked, clients[plan.target], store) for plan in plans]
        try:
            measured, texts = await _probe_suites(plans, worlds, keep_texts=attribution)
            replayed = [await replay_pair(pair, clients, texts, plans[1], store) for pair in measured if attribution]
        finally:
            await asyncio.gather(*(client.close() for client in clients.values()))
        results = [SuiteResult(measured=pair[1], baseline=pair[0]) for pair in measured]
        look = Look(0, ON_REQUEST, plans[1].policy.alpha_page)
        verdict = decide(plans[1], results, look, cycle_id=measured[0][1].run.cycle_id, at=wiring.utc_now())
        await store.save_decision(Decision(verdict=verdict))
    tables = [
        table for pair in measured for each in pair for table in terminal.run_tables(each, with_bounds=with_bounds)
    ]
    data = terminal.verdict_to_dict(verdict)
    data["runs"] = [terminal.run_to_dict(each) for pair in measured for each in pair]
    if attribution:
        data["replay"] = [each.data for each in replayed]
    is_covered = all(each.counts.coverage >= plans[1].policy.coverage_floor for pair in measured for each in pair)
    output = [verdict_text(verdict, is_whole=is_whole), *tables, *(each.output for each in replayed)]
    return Result(output, data, exit_code_of(verdict, is_covered=is_covered))


async def _probe_suites(
    plans: Sequence[Plan], worlds: Sequence[World], *, keep_texts: bool
) -> tuple[list[tuple[Measured, Measured]], dict[str, str]]:
    """Both runs of every suite, and the texts that a replay of contexts needs."""
    for plan, world in zip(plans, worlds, strict=True):
        await refuse_beyond_budget(plan, world)
    cycle_id, measured, texts = uuid4().hex, [], dict[str, str]()
    n_probes = 2 * sum(len(suite.queries) for suite in plans[1].suites)
    with probe_progress(" and ".join(plan.target for plan in plans), n_probes) as watch:
        for suite in plans[1].suites:
            window = plans[1].policy.context_window
            contexts = ContextTexts(window, dict(worlds[1].texts_of(suite.name))) if keep_texts else None
            measured.append(await _probe_both(suite, plans, worlds, cycle_id, watch, contexts))
            texts |= contexts.texts if contexts else {}
    return measured, texts


async def _probe_both(
    suite: Suite,
    plans: Sequence[Plan],
    worlds: Sequence[World],
    cycle_id: str,
    watch: Watch,
    contexts: ContextTexts | None,
) -> tuple[Measured, Measured]:
    runs = [await begin_run(suite, plan, world, cycle_id) for plan, world in zip(plans, worlds, strict=True)]
    window = plans[1].policy.context_window
    endpoints = [world.endpoints(run.depth, suite.name, window) for run, world in zip(runs, worlds, strict=True)]
    if contexts is not None:
        endpoints = [replace(each, contexts=contexts) for each in endpoints]
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
