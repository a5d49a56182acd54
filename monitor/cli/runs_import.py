"""`recallwatch runs import`: measure a TREC run file with a suite, and judge it against another, without a database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.query_values import CsvPath, query_rows, write_csv
from monitor.cli.result import PASSED, Result, exit_code_of
from monitor.cli.terminal import AsJson, finish, perform

if TYPE_CHECKING:
    from monitor.model.measurements import Measured
    from monitor.model.verdicts import Verdict


def runs_import(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A TREC run: query Q0 document rank score tag.")],
    suite: Annotated[str, typer.Option(help="A folder, or a builtin: suite.")],
    baseline: Annotated[
        Path | None, typer.Option(help="A TREC run to judge FILE against, by the default policy.")
    ] = None,
    missing_as_empty: Annotated[
        bool, typer.Option(help="Count queries without a line as empty rankings; without it they count as failed.")
    ] = False,
    ignore_unknown: Annotated[
        bool, typer.Option("--ignore-unknown", help="Leave out lines with queries that are not in the suite.")
    ] = False,
    csv_path: CsvPath = None,
    as_json: AsJson = False,
) -> None:
    """Measure a TREC run file with a suite, and judge it against another, without a database."""
    work = import_run_file(
        path, suite, baseline, missing_as_empty=missing_as_empty, ignore_unknown=ignore_unknown, csv_path=csv_path
    )
    finish(perform(work), as_json)


async def import_run_file(
    path: Path,
    suite: str,
    baseline: Path | None = None,
    *,
    missing_as_empty: bool = False,
    ignore_unknown: bool = False,
    csv_path: Path | None = None,
) -> Result:
    """The measurements of a TREC run file as a table, and as data with per-query values; with a baseline, a verdict."""
    from monitor.reports import terminal
    from monitor.suites.locating import suite_folder
    from monitor.suites.reading import read_suite
    from monitor.suites.run_files import depth_of_run_file, measure_run_file

    loaded = read_suite(suite_folder(suite))
    # Both files are cut to the depth of the shallower one: runs of different depths are not comparable.
    depth = min(map(depth_of_run_file, (path, baseline))) if baseline else 0
    files = (path,) if baseline is None else (baseline, path)
    measured = [
        measure_run_file(each, loaded, missing_as_empty=missing_as_empty, ignore_unknown=ignore_unknown, depth=depth)
        for each in files
    ]
    write_csv(csv_path, measured[-1:])
    data = {**terminal.run_to_dict(measured[-1]), "queries": query_rows(measured[-1])}
    output = [*terminal.run_tables(measured[-1])]
    if baseline is None:
        return Result(output, data, PASSED)
    from monitor.reports.comparison import verdict_text

    verdict = judge_files(*measured)
    data["verdict"] = terminal.verdict_to_dict(verdict)
    return Result([verdict_text(verdict), *output], data, exit_code_of(verdict))


def judge_files(baseline: Measured, candidate: Measured) -> Verdict:
    """The verdict on a measured run file against another, as on demand."""
    from monitor.change_detection.look import ON_REQUEST
    from monitor.decision.verdict import decide
    from monitor.model.policies import Policy
    from monitor.model.results import SuiteResult
    from monitor.model.verdicts import Look
    from monitor.plan import Plan
    from monitor.service import wiring

    plan = Plan(target=candidate.run.target, suites=(candidate.suite,), policy=Policy(), is_on_request=True)
    result = SuiteResult(measured=candidate, baseline=baseline)
    look = Look(0, ON_REQUEST, plan.policy.alpha_page)
    return decide(plan, [result], look, cycle_id=candidate.run.run_id, at=wiring.utc_now())
