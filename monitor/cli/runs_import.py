"""`recallwatch runs import`: measure a TREC run file with a suite, without a database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.result import PASSED, Result
from monitor.cli.terminal import AsJson, finish, perform

if TYPE_CHECKING:
    from monitor.model.measurements import Measured


def runs_import(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A TREC run: query Q0 document rank score tag.")],
    suite: Annotated[str, typer.Option(help="A folder, or a builtin: suite.")],
    missing_as_empty: Annotated[
        bool, typer.Option(help="Count queries without a line as empty rankings; without it they count as failed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure a TREC run file with a suite, without a database. JSON output has the values of each query."""
    finish(perform(import_run_file(path, suite, missing_as_empty=missing_as_empty)), as_json)


async def import_run_file(path: Path, suite: str, *, missing_as_empty: bool = False) -> Result:
    """The measurements of a TREC run file as a table, and as data with per-query values."""
    from monitor.reports.terminal import run_tables, run_to_dict
    from monitor.suites.locating import suite_folder
    from monitor.suites.reading import read_suite
    from monitor.suites.run_files import measure_run_file

    measured = measure_run_file(path, read_suite(suite_folder(suite)), missing_as_empty=missing_as_empty)
    return Result([*run_tables(measured)], {**run_to_dict(measured), "queries": _query_rows(measured)}, PASSED)


def _query_rows(measured: Measured) -> list[dict[str, Any]]:
    values: dict[str, dict[str, float]] = {query.query_id: {} for query in measured.suite.queries}
    for name, measurements in measured.measurements.items():
        for query_id, value in zip(measurements.query_ids, measurements.values.tolist(), strict=True):
            values[query_id][name] = value
    outcomes = {outcome.query_id: outcome for outcome in measured.run.outcomes}
    return [
        {
            "query_id": query.query_id,
            "stratum": query.stratum,
            "failure": failure.detail if (failure := outcomes[query.query_id].failure) else None,
            "measures": values[query.query_id],
        }
        for query in measured.suite.queries
    ]
