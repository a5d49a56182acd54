"""How every command reads its configuration, runs, and shows what it found."""

from __future__ import annotations

import logging
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

ConfigPath = Annotated[Path, typer.Option("--config", "-c", help="The configuration.", envvar="RECALLWATCH_CONFIG")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]

T = TypeVar("T")


def perform(work: Coroutine[Any, Any, T], log_level: int = logging.WARNING) -> T:
    """Run what a command does, with its log on standard error."""
    from monitor.cli.process import configure_logging, run_until_done

    configure_logging(log_level)
    return run_until_done(work)


def finish(answer: Any, as_json: bool) -> None:
    """Print what a command found, for people or for programs, and leave with its exit code."""
    if as_json:
        import json

        typer.echo(json.dumps(answer.data, indent=2, default=str))
    else:
        from rich.console import Console

        console = Console(width=None if sys.stdout.isatty() else 160)
        for part in answer.shown:
            console.print(part)
    raise typer.Exit(answer.exit_code)
