"""`recallwatch verdicts list`: the latest verdicts."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, Limit, finish, perform


def verdicts_list(
    target: Annotated[str | None, typer.Option(help="List the verdicts of this target only.")] = None,
    limit: Limit = 20,
    place: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """List verdicts, newest first."""
    finish(perform(list_verdicts(place, target, limit)), as_json)


async def list_verdicts(place: Place, target: str | None, limit: int) -> Result:
    """The latest verdicts."""
    from monitor.cli.session import open_session
    from monitor.reports import terminal

    async with open_session(place) as session:
        verdicts = await session.records.list_verdicts(limit, target)
    rows = [
        {
            "verdict_id": verdict.verdict_id,
            "target": verdict.target,
            "verdict": str(verdict.name),
            "decided_at": verdict.decided_at.isoformat(),
            "look": verdict.look,
            "run_ids": list(verdict.run_ids),
            "baseline_run_ids": list(verdict.baseline_run_ids),
            "summary": verdict.summary,
        }
        for verdict in verdicts
    ]
    return Result([terminal.verdicts_table(verdicts)], {"verdicts": rows})
