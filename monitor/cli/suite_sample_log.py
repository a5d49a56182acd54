"""`recallwatch suite sample-log`: draw queries from a production log."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, finish, perform
from monitor.errors import SuiteError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from monitor.suites.generation.log_sampling import Sampled
    from monitor.suites.generation.query_log import Columns


def suite_sample_log(
    log: Annotated[Path, typer.Argument(help="Queries as .jsonl, .csv, .tsv, or one per line.")],
    path: Annotated[Path, typer.Argument(metavar="OUT", help="The queries.jsonl to write; must not exist.")],
    count: Annotated[int, typer.Option(min=1, max=100_000, help="The largest number of queries.")] = 500,
    seed: Annotated[int, typer.Option(help="The same seed draws the same queries.")] = 0,
    query: Annotated[str, typer.Option(help="The column or key of the query.")] = "query",
    stratum: Annotated[str | None, typer.Option(help="A column or key that divides queries into strata.")] = None,
    names: Annotated[list[str] | None, typer.Option(help="A column or key with a person's name. Repeatable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw queries from a production log, without personal data and near-duplicates."""
    from monitor.suites.generation.query_log import Columns

    columns = Columns(query, stratum, tuple(names or ()))
    finish(perform(sample_log(log, path, columns, count, seed)), as_json)


async def sample_log(log: Path, path: Path, columns: Columns, count: int, seed: int) -> Result:
    """Write a sample of a query log, without personal data."""
    from collections import Counter
    from functools import partial

    from rich.markup import escape

    from monitor.suites.formats.placement import placed_at, write_rows
    from monitor.suites.generation import log_sampling, query_log

    with placed_at(path) as unfinished:
        result = log_sampling.sample(partial(query_log.read, log, columns), count, seed, _print_progress)
        dropped = +result.dropped
        if not result.queries:
            reasons = "; ".join(f"{count} {reason}" for reason, count in dropped.items())
            raise SuiteError(str(log), f"no query is left: {reasons or 'it has no line'}")
        write_rows(unfinished, map(_query_row, result.queries))
    strata = Counter(query.stratum for query in result.queries)
    data = {"path": str(path), "lines": result.n_lines, "queries": len(result.queries), "strata": dict(strata)}
    output: list[RenderableType] = [
        f"[green]✓[/] {escape(str(path))}: {len(result.queries)} queries of {result.n_lines:,} lines"
    ]
    output += [f"  {escape(name)}: {n_queries}" for name, n_queries in strata.items()]
    output += [f"  scrubbed {n_removed:,}: {kind}" for kind, n_removed in result.scrubbed.most_common() if n_removed]
    output += [f"  dropped {n_lines:,}: {reason}" for reason, n_lines in dropped.most_common()]
    return Result(output, {**data, "scrubbed": dict(+result.scrubbed), "dropped": dict(dropped)})


def _query_row(query: Sampled) -> dict[str, Any]:
    from monitor.suites.formats.collection import hashed_id

    provenance = {"kind": "query-log", "times": query.times}
    metadata = {"stratum": query.stratum, "provenance": provenance}
    return {"_id": hashed_id("log-", query.text), "text": query.text, "metadata": metadata}


def _print_progress(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
