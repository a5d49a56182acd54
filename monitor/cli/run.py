"""`recallwatch run`: replay suites against a target now, and compare the result with the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from monitor.cli.query_values import CsvPath, query_rows, write_csv
from monitor.cli.result import Result, exit_code_of
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, Bounds, ConfigPath, PolicyName, Whole, finish, perform

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
    whole: Whole = False,
    bounds: Bounds = False,
    csv_path: CsvPath = None,
    as_json: AsJson = False,
) -> None:
    """Replay suites against a target now, and compare the result with the baseline."""
    report, settings, advice = perform(replay(config, target, tuple(suite), policy))
    write_csv(csv_path, report.measured)
    finish(_result(report, settings, advice, is_whole=whole, with_bounds=bounds), as_json)


async def replay(path: Path, target: str, suites: tuple[str, ...], policy: str) -> tuple[Report, Policy, list[str]]:
    """Run one cycle of a target on demand, and deliver its alerts: its report, the policy, and advice on ids."""
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
            n_probes = sum(len(suite.queries) for suite in plan.suites)
            with probe_progress(target, n_probes, clients.retriever) as watch:
                report = await run_cycle(plan, wiring.world_of(checked, clients, store), watch=watch)
            await deliver_queued(checked, store)
            advice = await _advice(report, clients.raw_retriever)
        finally:
            await clients.close()
    return report, plan.policy, advice


async def _advice(report: Report, retriever: Retriever | None) -> list[str]:
    """How to read the ids of each suite that knows no returned id."""
    from monitor.cli.id_field import id_advice
    from monitor.evaluation.recognition import recognise

    foreign = [each for each in report.measured if recognise(each.suite, each.run.outcomes).is_foreign]
    advice = [(each.suite.name, await id_advice(retriever, each.suite, each.run.depth)) for each in foreign]
    return [f"{name}: {sentence.removeprefix('; ')}" for name, sentence in advice if sentence]


def _result(report: Report, policy: Policy, advice: list[str], *, is_whole: bool, with_bounds: bool) -> Result:
    from monitor.reports import terminal
    from monitor.reports.comparison import verdict_text

    data = {
        "verdict": terminal.verdict_to_dict(report.verdict),
        "runs": [{**terminal.run_to_dict(measured), "queries": query_rows(measured)} for measured in report.measured],
        "swaps": [_swap_to_dict(swap) for swap in report.swaps],
        "advice": advice,
    }
    is_covered = all(measured.counts.coverage >= policy.coverage_floor for measured in report.measured)
    tables = (table for measured in report.measured for table in terminal.run_tables(measured, with_bounds=with_bounds))
    output = [verdict_text(report.verdict, is_whole=is_whole), *map(escape, advice), *tables]
    return Result(output, data, exit_code_of(report.verdict, is_covered=is_covered))


def _swap_to_dict(swap: Swap) -> dict[str, Any]:
    from monitor.reports import terminal

    fields = terminal.plain(swap, leave_out=("target", "suite_name", "detected_at"))
    return {"suite": swap.suite_name, **fields, "detected_at": swap.detected_at.isoformat()}
