"""`recallwatch gate`: a verdict about a candidate before it is deployed, as the exit code of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, PolicyName, finish, perform
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from monitor.model.gates import GateReport
    from monitor.service.gating import Gating


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFiles:
    """The files that a gate writes its report to."""

    junit: Path | None
    markdown: Path | None
    report: Path | None


Trusted = Annotated[
    str | None, typer.Option(help="The target that is gated, or whose promoted baseline a candidate must hold.")
]
Candidates = Annotated[
    list[str] | None,
    typer.Option(
        "--candidate", help="What may replace it: a target or a URL. Of several, the strongest that passes is named."
    ),
]
MoreCandidates = Annotated[
    list[str] | None, typer.Argument(metavar="[CANDIDATE...]", help="More candidates, as --candidate.")
]
Live = Annotated[
    str | None, typer.Option(help="A live target or URL to compare with, instead of the promoted baseline.")
]
Suites = Annotated[
    list[str] | None, typer.Option(help="A suite; by default those of the target's schedules. Repeatable.")
]
FailOn = Annotated[list[str] | None, typer.Option(help="A verdict that fails; by default each but passed. Repeatable.")]
Inconclusive = Annotated[str, typer.Option(help="The verdict that an inconclusive one counts as.")]
Required = Annotated[
    bool, typer.Option("--require-baseline", help="Refuse, before any probe, a suite without a baseline.")
]
Early = Annotated[bool, typer.Option(help="Stop asking as soon as a regression is clear.")]
Wait = Annotated[str, typer.Option(help="The longest time that the gate may take, such as 30m.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Print the cost, and send nothing.")]
Junit = Annotated[Path | None, typer.Option(help="Write a JUnit report to this file.")]
Markdown = Annotated[Path | None, typer.Option(help="Write a comment for a pull request to this file.")]
ReportFile = Annotated[Path | None, typer.Option(help="Write the whole result as JSON to this file.")]


def gate(
    candidates: MoreCandidates = None,
    target: Trusted = None,
    candidate: Candidates = None,
    baseline: Live = None,
    suite: Suites = None,
    policy: PolicyName = "default",
    fail_on: FailOn = None,
    inconclusive_as: Inconclusive = "inconclusive",
    require_baseline: Required = False,
    early_stopping: Early = True,
    wait: Wait = "30m",
    dry_run: Dry = False,
    junit: Junit = None,
    markdown: Markdown = None,
    report: ReportFile = None,
    place: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """Probe a candidate, compare it with the baseline, and exit with the verdict: 0 passed, 1 regressed, 4 unclear."""
    from monitor.model.gates import GateRules
    from monitor.service.gating import Gating

    gating = Gating(
        target=target,
        candidates=(*(candidate or ()), *(candidates or ())),
        baseline=baseline,
        suites=tuple(suite or ()),
        policy=policy,
        rules=GateRules.read(fail_on or [], inconclusive_as, require_baseline=require_baseline),
        is_sequential=early_stopping,
    )
    files = GateFiles(junit=junit, markdown=markdown, report=report)
    finish(perform(run_gates(place, gating, _seconds(wait), files, dry_run=dry_run)), as_json)


async def run_gates(place: Place, gating: Gating, timeout_s: float, files: GateFiles, *, dry_run: bool) -> Result:
    """Print the cost, gate every candidate, and write the report of the strongest one, else of the last."""
    from monitor.cli.progress import probe_progress
    from monitor.cli.session import open_session
    from monitor.errors import MonitorError

    async with open_session(place, *gating.addresses) as session:
        costs = await session.gate_costs(gating)
        lines = [f"{target}: {cost.sentence}" for target, cost in costs]
        for line in lines:
            typer.echo(line, err=True)
        if dry_run:
            return Result(list(lines), {"cost": [cost.to_dict() for _, cost in costs]})
        with probe_progress("gate", sum(cost.probes for _, cost in costs)) as watch:
            try:
                choice = await session.run_gates(gating, timeout_s=timeout_s, watch=watch)
            except TimeoutError:
                raise MonitorError(f"the gate took longer than --wait {timeout_s:g}s; it was stopped") from None
    result = gate_result(choice.reports, choice.strongest)
    _write(files, choice.strongest or choice.reports[-1])
    return Result(result.output, result.data, choice.exit_code)


def gate_result(reports: tuple[GateReport, ...], strongest: GateReport | None) -> Result:
    """The verdicts as sentences and tables, and as plain values."""
    from rich.text import Text

    from monitor.reports.comparison import verdict_text
    from monitor.reports.gate import gate_to_dict

    output: list[RenderableType] = []
    for report in reports:
        name = report.verdict.target
        output += [Text(f"{name}: {report.n_asked:,} of {report.n_queries:,} queries asked", style="bold")]
        output += [verdict_text(report.verdict)]
    data = gate_to_dict(reports[-1])
    if len(reports) > 1:
        best = strongest.verdict.target if strongest else None
        output.append(Text(f"Strongest candidate that passed: {best or 'none'}"))
        data = {"strongest": best, "candidates": [gate_to_dict(report) for report in reports]}
    return Result(output, data)


def _seconds(wait: str) -> float:
    from monitor.config.section import parse_duration

    try:
        return parse_duration(wait)
    except ValueError as error:
        raise ConfigError("--wait", str(error)) from None


def _write(files: GateFiles, report: GateReport) -> None:
    import json

    from monitor.reports.gate import gate_to_dict, junit, markdown

    contents = (
        (files.junit, junit(report)),
        (files.markdown, markdown(report)),
        (files.report, json.dumps(gate_to_dict(report), indent=2, default=str)),
    )
    for path, content in contents:
        if path is not None:
            try:
                path.write_text(content, encoding="utf-8")
            except OSError as error:
                raise ConfigError(str(path), error.strerror or str(error)) from error
