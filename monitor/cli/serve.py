"""`recallwatch serve`: run the daemon."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from monitor.cli.terminal import DEFAULT_CONFIG, ConfigPath, perform


def serve(
    config: ConfigPath = DEFAULT_CONFIG,
    watch: Annotated[bool, typer.Option("--watch", help="Reload when the configuration file changes.")] = False,
) -> None:
    """Run the daemon: schedules, alerts, metrics."""
    from monitor.service import wiring
    from monitor.service.daemon import serve_forever

    perform(serve_forever(lambda: wiring.load(config), config if watch else None), log_level=logging.INFO)
