"""`recallwatch runs list`: the latest runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, Limit, finish, perform

if TYPE_CHECKING:
    from pathlib import Path


def runs_list(
    target: Annotated[str | None, typer.Option(help="List the runs of this target only.")] = None,
    limit: Limit = 20,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first; a star marks a baseline."""
    finish(perform(list_runs(config, target, limit)), as_json)


async def list_runs(path: Path, target: str | None, limit: int) -> Result:
    """The latest runs; a star marks a baseline."""
    from monitor.cli.url_targets import load_with_targets
    from monitor.reports import terminal
    from monitor.service import wiring

    async with wiring.open_store(load_with_targets(path).config) as store:
        runs, baselines = await store.list_runs(limit, target=target), await store.baselines()
    trusted = {baseline.run_id for baseline in baselines}
    rows = [terminal.plain(run, leave_out=("outcomes",)) | {"baseline": run.run_id in trusted} for run in runs]
    return Result([terminal.runs_table(runs, baselines)], {"runs": rows})
