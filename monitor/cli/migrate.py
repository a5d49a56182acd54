"""`recallwatch migrate`: bring the database schema up to date."""

from __future__ import annotations

import typer

from monitor.cli.terminal import DEFAULT_CONFIG, ConfigPath, perform


def migrate(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Bring the database schema up to date."""
    from monitor.cli.progress import migration_progress
    from monitor.service import wiring

    with migration_progress() as progress:
        perform(wiring.migrate(wiring.load(config).config, progress))
    typer.echo("The schema is up to date.")
