"""Options that commands share, and how a command runs and prints its result."""

from __future__ import annotations

import logging
import sys
from collections.abc import Coroutine
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from monitor.cli.result import Result
from monitor.config.init_template import DEFAULT_CONFIG as DEFAULT_CONFIG

ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration file.", envvar="RECALLWATCH_CONFIG")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
By = Annotated[str, typer.Option(help="Your name, for the record.", envvar="USER")]
Whole = Annotated[bool, typer.Option("--all", help="Print every changed measure with all its numbers.")]
Bounds = Annotated[
    bool, typer.Option("--bounds", help="Print the upper bound of each mean, as if unjudged documents were relevant.")
]
PolicyName = Annotated[str, typer.Option(help="A policy of the configuration.")]
Limit = Annotated[int, typer.Option(min=1, help="The largest number of rows to print.")]
RunId = Annotated[
    str,
    typer.Argument(
        help="The id of a run, its beginning, @latest or @baseline; @latest:TARGET/SUITE where several are."
    ),
]
IncidentId = Annotated[
    str | None,
    typer.Argument(help="The id of the incident, or the beginning of it; by default the only open one."),
]
SuiteFolders = Annotated[list[str], typer.Argument(metavar="SUITE...", help="Folders, or builtin: suites.")]

WIDTH_OF_FILES = 160
"""Columns of a table when the output is no terminal."""

T = TypeVar("T")


def perform(work: Coroutine[Any, Any, T], log_level: int = logging.WARNING, *, prints: bool = False) -> T:
    """Run the work of a command. Its log, and what user code prints unless ``prints``, go to standard error."""
    from monitor.cli.process import configure_logging, run_until_done

    configure_logging(log_level)
    with nullcontext() if prints else redirect_stdout(sys.stderr):
        return run_until_done(work)


def finish(result: Result, as_json: bool) -> None:
    """Print the result of a command and exit with its code."""
    if as_json:
        import json

        typer.echo(json.dumps(result.data, indent=2, default=str, ensure_ascii=False))
    else:
        from rich.console import Console

        console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_FILES)
        for part in result.output:
            console.print(part)
    raise typer.Exit(result.exit_code)
