"""`recallwatch migrate`: bring the database schema up to date."""

from __future__ import annotations

import typer

from monitor.cli.terminal import DEFAULT_CONFIG, ConfigPath, perform


def migrate(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Bring the database schema up to date."""
    from monitor.service import wiring

    perform(wiring.migrate(wiring.load(config).config))
    typer.echo("The schema is up to date.")
