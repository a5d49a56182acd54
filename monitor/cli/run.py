"""`recallwatch run`: replay suites against a target now, and compare the result with the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from monitor.cli.result import Result, exit_code_of
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, PolicyName, finish, perform

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.cycle import Report
    from monitor.model.deployments import Swap
    from monitor.model.policies import Policy
    from monitor.ports.targets import Retriever


def run(
    target: Annotated[str, typer.Option(help="A target of the configuration, or the URL of a retriever.")],
    suite: Annotated[list[str], typer.Option(help="A suite of the configuration, or a folder. Repeatable.")],
    config: ConfigPath = DEFAULT_CONFIG,
    policy: PolicyName = "default",
    as_json: AsJson = False,
) -> None:
    """Replay suites against a target now, and compare the result with the baseline."""
    finish(perform(replay(config, target, tuple(suite), policy)), as_json)


async def replay(path: Path, target: str, suites: tuple[str, ...], policy: str) -> Result:
    """Run one cycle of a target on demand, and deliver its alerts."""
    from dataclasses import replace

    from monitor.cli.progress import probe_progress
    from monitor.cli.queued_alerts import deliver_queued
    from monitor.cli.url_targets import load_with_targets
    from monitor.cycle import run_cycle
    from monitor.service import abandoned_runs, wiring

    checked = load_with_targets(path, target)
    plan = replace(wiring.plan_for(checked, target, suites, policy), is_on_request=True)
    async with wiring.open_store(checked.config) as store:
        await abandoned_runs.close_abandoned_runs(store, now=wiring.utc_now())
        clients = wiring.connect(checked, target)
        try:
            with probe_progress(target, sum(len(suite.queries) for suite in plan.suites)) as watch:
                report = await run_cycle(plan, wiring.world_of(checked, clients, store), watch=watch)
            await deliver_queued(checked, store)
            advice = await _advice(report, clients.raw_retriever)
        finally:
            await clients.close()
    return _result(report, plan.policy, advice)


async def _advice(report: Report, retriever: Retriever | None) -> list[str]:
    """How to read the ids of each suite that knows no returned id."""
    from monitor.cli.id_field import id_advice
    from monitor.evaluation.recognition import recognise

    foreign = [each for each in report.measured if recognise(each.suite, each.run.outcomes).is_foreign]
    advice = [(each.suite.name, await id_advice(retriever, each.suite, each.run.depth)) for each in foreign]
    return [f"{name}: {sentence.removeprefix('; ')}" for name, sentence in advice if sentence]


def _result(report: Report, policy: Policy, advice: list[str]) -> Result:
    from monitor.reports import terminal

    data = {
        "verdict": terminal.verdict_to_dict(report.verdict),
        "runs": [terminal.run_to_dict(measured) for measured in report.measured],
        "swaps": [_swap_to_dict(swap) for swap in report.swaps],
        "advice": advice,
    }
    is_covered = all(measured.counts.coverage >= policy.coverage_floor for measured in report.measured)
    tables = (table for measured in report.measured for table in terminal.run_tables(measured))
    output = [*tables, terminal.verdict_text(report.verdict), *map(escape, advice)]
    return Result(output, data, exit_code_of(report.verdict, is_covered=is_covered))


def _swap_to_dict(swap: Swap) -> dict[str, Any]:
    from monitor.reports import terminal

    fields = terminal.plain(swap, leave_out=("target", "suite_name", "detected_at"))
    return {"suite": swap.suite_name, **fields, "detected_at": swap.detected_at.isoformat()}
