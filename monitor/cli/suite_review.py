"""`recallwatch suite review`: keep the generated queries that a reviewer accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, finish, perform


def suite_review(
    suite: Annotated[Path, typer.Argument(help="A generated suite.")],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="The suite to write; must not exist.")],
    accept: Annotated[Path | None, typer.Option(help="The completed review.tsv, if it is not in the suite.")] = None,
    as_json: AsJson = False,
) -> None:
    """Keep the generated queries that a reviewer accepted."""
    finish(perform(review_suite(suite, folder, accept)), as_json)


async def review_suite(folder: Path, destination: Path, accept: Path | None) -> Result:
    """Make a suite of the queries that a reviewer accepted."""
    from rich.markup import escape

    from monitor.suites.formats.placement import placed_at
    from monitor.suites.generation import review
    from monitor.suites.reading import read_suite

    read_suite(folder)
    with placed_at(destination) as unfinished:
        n_accepted, n_rejected = review.keep_accepted(folder, accept or folder / review.FILE, unfinished)
        read_suite(unfinished)
    totals = f"{n_accepted} queries accepted, {n_rejected} rejected"
    data = {"suite": str(destination), "accepted": n_accepted, "rejected": n_rejected}
    return Result([f"[green]✓[/] {escape(str(destination))}: {totals}"], data)
