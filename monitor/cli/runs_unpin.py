"""`recallwatch runs unpin`: a run whose rankings and answers retention may drop again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.cli.result import Result
from monitor.cli.runs_pin import RunId, change_pin
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, finish, perform

if TYPE_CHECKING:
    from pathlib import Path


def runs_unpin(run: RunId, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Let retention drop the rankings and answers of a run with their month."""
    finish(perform(unpin(config, run)), as_json)


async def unpin(path: Path, prefix: str) -> Result:
    """Remove the pin of a run."""
    run_id = await change_pin(path, prefix, lambda store, run_id: store.unpin_run(run_id))
    return Result([f"{run_id}: not pinned."], {"run_id": run_id, "pinned": False})
