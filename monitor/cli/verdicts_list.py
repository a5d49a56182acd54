"""`recallwatch verdicts list`: the latest verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, Limit, finish, perform

if TYPE_CHECKING:
    from pathlib import Path


def verdicts_list(
    target: Annotated[str | None, typer.Option(help="List the verdicts of this target only.")] = None,
    limit: Limit = 20,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """List verdicts, newest first."""
    finish(perform(list_verdicts(config, target, limit)), as_json)


async def list_verdicts(path: Path, target: str | None, limit: int) -> Result:
    """The latest verdicts."""
    from monitor.cli.url_targets import load_with_targets
    from monitor.reports import terminal
    from monitor.service import wiring

    async with wiring.open_store(load_with_targets(path).config) as store:
        verdicts = await store.list_verdicts(limit, target)
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
