"""The commands about suites."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from monitor.starter import DEFAULT_CONFIG
from monitor.terminal import AsJson, ConfigPath, finish, perform

suite_app = typer.Typer(help="Suites: import, export.", no_args_is_help=True)

FORMATS = "beir, trec, jsonl, squad, ragas, elasticsearch or csv"


@suite_app.command("import")
def suite_import(
    source: Annotated[Path, typer.Argument(help="A file or folder of another tool.")],
    folder: Annotated[Path, typer.Argument(metavar="DEST", help="The suite to write; must not exist.")],
    format_name: Annotated[
        str | None, typer.Option("--format", help=f"{FORMATS}; can be left out where the source tells.")
    ] = None,
    axis: Annotated[
        Literal["broad", "compositional"] | None, typer.Option(help="The axis; broad if the source does not say.")
    ] = None,
    stratum: Annotated[str, typer.Option(help="The stratum of queries that have none.")] = "",
    name: Annotated[str, typer.Option(help="The name; that of the source or of DEST if left out.")] = "",
    qrels: Annotated[Path | None, typer.Option(help="The judgements, where they are a file of their own.")] = None,
    corpus: Annotated[Path | None, typer.Option(help="The documents, as a corpus.jsonl.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a suite of what another tool wrote."""
    from monitor import suite_commands
    from monitor.suites.formats.collection import Sources

    wishes = suite_commands.Wishes(name, axis, stratum)
    finish(perform(suite_commands.imported(Sources(source, qrels, corpus), folder, format_name, wishes)), as_json)


@suite_app.command("export")
def suite_export(
    suite: Annotated[str, typer.Argument(help="A folder or a builtin: suite; with trec-run, the id of a run.")],
    path: Annotated[Path, typer.Argument(metavar="DEST", help="The file or folder to write; must not exist.")],
    format_name: Annotated[str, typer.Option("--format", help=f"{FORMATS}; or trec-run.")],
    index: Annotated[str, typer.Option(help="The index that the ratings of Elasticsearch name.")] = "documents",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Write a suite, or a run that was kept, as another tool reads it."""
    from monitor import suite_commands

    is_run = format_name == "trec-run"
    run, whole = suite_commands.run_exported, suite_commands.exported
    finish(perform(run(config, suite, path) if is_run else whole(suite, path, format_name, index)), as_json)
