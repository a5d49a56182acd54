"""`recallwatch verdicts show`: one verdict with its evidence."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, Whole, finish, perform


def verdicts_show(
    verdict: Annotated[str, typer.Argument(help="The id of the verdict, or the beginning of it.")],
    place: Place = HERE,
    whole: Whole = False,
    as_json: AsJson = False,
) -> None:
    """Show one verdict with its evidence."""
    finish(perform(show_verdict(place, verdict, is_whole=whole)), as_json)


async def show_verdict(place: Place, prefix: str, *, is_whole: bool = False) -> Result:
    """One verdict with its evidence."""
    from monitor.cli.identifiers import load_verdict
    from monitor.cli.session import open_session
    from monitor.reports import terminal
    from monitor.reports.comparison import verdict_text

    async with open_session(place) as session:
        verdict = await load_verdict(session.records, prefix)
    origin = (
        f"Verdict {verdict.verdict_id} on {verdict.target}, {verdict.decided_at:%Y-%m-%d %H:%M:%S} UTC · "
        f"runs {', '.join(verdict.run_ids)} · baselines {', '.join(verdict.baseline_run_ids) or 'none'} · "
        f"seed {verdict.seed} · method {verdict.method}"
    )
    return Result([verdict_text(verdict, is_whole=is_whole), origin], terminal.verdict_to_dict(verdict))
