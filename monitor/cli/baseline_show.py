"""`recallwatch baseline show`: the current baselines and the latest runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, finish, perform

if TYPE_CHECKING:
    from pathlib import Path


def baseline_show(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show the current baselines and the latest runs."""
    finish(perform(show_baselines(config)), as_json)


async def show_baselines(path: Path) -> Result:
    """The current baselines and the latest runs."""
    from monitor.cli.url_targets import load_with_targets
    from monitor.reports import terminal
    from monitor.service import wiring

    async with wiring.open_store(load_with_targets(path).config) as store:
        baselines, runs = await store.baselines(), await store.list_runs(20)
    return Result(
        [terminal.baseline_table(baselines), terminal.runs_table(runs, baselines)],
        {
            "baselines": [terminal.plain(baseline) for baseline in baselines],
            "runs": [terminal.plain(run, leave_out=("outcomes",)) for run in runs],
        },
    )
