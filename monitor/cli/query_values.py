"""The values of each query of a run, as rows of JSON or CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from monitor.model.measurements import Measured

CsvPath = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", help="Write the values of each query to a CSV file.")
]


def query_rows(measured: Measured) -> list[dict[str, Any]]:
    """One row for each query of the suite: its stratum, its failure if any, and its value of each measure."""
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


def write_csv(path: Path | None, runs: Sequence[Measured]) -> None:
    """Write the rows of all runs to a file, one column for each measure; no file without a path."""
    if path is None:
        return
    names = list(dict.fromkeys(name for measured in runs for name in measured.measurements))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["suite", "query_id", "stratum", "failure", *names])
        for measured in runs:
            for row in query_rows(measured):
                cells = [row["measures"].get(name, "") for name in names]
                writer.writerow([measured.suite.name, row["query_id"], row["stratum"], row["failure"] or "", *cells])
