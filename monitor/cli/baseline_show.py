"""`recallwatch baseline show`: the current baselines and the latest runs."""

from __future__ import annotations

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, finish, perform


def baseline_show(place: Place = HERE, as_json: AsJson = False) -> None:
    """Show the current baselines and the latest runs."""
    finish(perform(show_baselines(place)), as_json)


async def show_baselines(place: Place) -> Result:
    """The current baselines and the latest runs."""
    from monitor.cli.session import open_session
    from monitor.reports import terminal

    async with open_session(place) as session:
        baselines, runs = await session.records.baselines(), await session.records.list_runs(20)
    return Result(
        [terminal.baseline_table(baselines), terminal.runs_table(runs, baselines)],
        {
            "baselines": [terminal.plain(baseline) for baseline in baselines],
            "runs": [terminal.plain(run, leave_out=("outcomes",)) for run in runs],
        },
    )
