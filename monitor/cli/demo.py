"""`recallwatch demo`: a model swap from end to end on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.terminal import AsJson, perform


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running and print the URLs.")] = False,
    fast: Annotated[
        bool, typer.Option("--fast", help="Word statistics instead of a model: seconds, and no further package.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a model swap end to end on this machine: swap, trade-off, alert, forward fix, resolved."""
    from monitor.demo.scripts import FAST, WHOLE
    from monitor.demo.story import run_demo

    raise typer.Exit(perform(run_demo(FAST if fast else WHOLE, keep=keep, as_json=as_json), prints=True))
