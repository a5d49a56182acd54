"""`recallwatch suite export`: write a suite, or a stored run, in the format of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.result import Result
from monitor.cli.suite_import import FORMATS
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, finish, perform
from monitor.errors import SuiteError

if TYPE_CHECKING:
    from rich.console import RenderableType


def suite_export(
    suite: Annotated[str, typer.Argument(help="A folder or a builtin: suite; with trec-run, the id of a run.")],
    path: Annotated[Path, typer.Argument(metavar="DEST", help="The file or folder to write; must not exist.")],
    format_name: Annotated[str, typer.Option("--format", help=f"{FORMATS}; or trec-run.")],
    index: Annotated[str, typer.Option(help="The index named in the ratings for Elasticsearch.")] = "documents",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Write a suite, or a stored run, in the format of another tool."""
    if format_name == "trec-run":
        finish(perform(export_run(config, suite, path)), as_json)
    finish(perform(export_suite(suite, path, format_name, index)), as_json)


async def export_suite(suite: str, path: Path, format_name: str, index: str) -> Result:
    """Write a suite in the format of another tool."""
    from monitor.cli.collection_report import report_collection
    from monitor.suites import formats, locating
    from monitor.suites.formats import beir
    from monitor.suites.formats.collection import Destination, Sources
    from monitor.suites.formats.placement import placed_at
    from monitor.suites.reading import read_suite

    target_format, folder = formats.find(format_name), locating.suite_folder(suite)
    if target_format.write is None:
        raise SuiteError("--format", f"{target_format.name} can only be imported")
    read_suite(folder)  # a suite with an error is not exported
    collection = beir.read(Sources(folder))
    with placed_at(path) as unfinished:
        omissions = target_format.write(collection, Destination(unfinished, index))
    data = {"format": target_format.name, "suite": suite, "path": str(path)}
    headline = f"{path}: suite {collection.head['name']}, exported as {target_format.name}"
    return report_collection(headline, collection, data, {"left_out": omissions})


async def export_run(config: Path, run_id: str, path: Path) -> Result:
    """Write the rankings of a stored run as a TREC run file."""
    from rich.markup import escape

    from monitor.cli.identifiers import load_run
    from monitor.service import wiring
    from monitor.suites.formats.trec_run import write_run

    async with wiring.open_store(wiring.load(config).config) as store:
        run = await load_run(store, run_id)
    write_run(run.outcomes, path, tag=run.run_id)
    counts = {
        "queries": sum(outcome.ranking is not None for outcome in run.outcomes),
        "hits": sum(len(outcome.ranking.doc_ids) for outcome in run.outcomes if outcome.ranking),
        "failures": sum(outcome.failure is not None for outcome in run.outcomes),
    }
    totals = ", ".join(f"{count} {noun}" for noun, count in counts.items())
    output: list[RenderableType] = [f"[green]✓[/] {escape(str(path))}: run {run.run_id}, {totals}"]
    return Result(output, {"run_id": run.run_id, "path": str(path), **counts})
