"""`recallwatch runs list`: the latest runs."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, Limit, finish, perform


def runs_list(
    target: Annotated[str | None, typer.Option(help="List the runs of this target only.")] = None,
    limit: Limit = 20,
    place: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first; a star marks a baseline."""
    finish(perform(list_runs(place, target, limit)), as_json)


async def list_runs(place: Place, target: str | None, limit: int) -> Result:
    """The latest runs; a star marks a baseline."""
    from monitor.cli.session import open_session
    from monitor.reports import terminal

    async with open_session(place) as session:
        records = session.records
        runs, baselines = await records.list_runs(limit, target=target), await records.baselines()
    trusted = {baseline.run_id for baseline in baselines}
    rows = [terminal.plain(run, leave_out=("outcomes",)) | {"baseline": run.run_id in trusted} for run in runs]
    return Result([terminal.runs_table(runs, baselines)], {"runs": rows})
