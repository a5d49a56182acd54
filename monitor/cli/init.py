"""`recallwatch init`: write a configuration to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.config.init_template import DEFAULT_CONFIG, STARTER
from monitor.errors import ConfigError


def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = DEFAULT_CONFIG,
    url: Annotated[str, typer.Option(help="The URL of your retriever.")] = "http://127.0.0.1:8000/search",
) -> None:
    """Write a configuration to start from."""
    if path.exists():
        raise ConfigError(str(path), "exists already; nothing was written")
    path.write_text(STARTER.replace("@URL@", url), encoding="utf-8")
    typer.echo(f"Wrote {path}. Next: recallwatch check, then recallwatch serve.")
