"""`recallwatch runs pin`: a run whose rankings and answers retention keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, By, ConfigPath, finish, perform

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from monitor.ports.retention import RetentionStore

RunId = Annotated[str, typer.Argument(help="The id of the run, or the beginning of it.")]


def runs_pin(
    run: RunId,
    reason: Annotated[str, typer.Option(help="Why its rankings and answers are kept.")],
    by: By,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Keep the rankings and answers of a run for ever."""
    finish(perform(pin(config, run, by, reason)), as_json)


async def pin(path: Path, prefix: str, by: str, reason: str) -> Result:
    """Pin a run."""
    from monitor.model.retention import Pin
    from monitor.service import wiring

    run_id = await change_pin(
        path, prefix, lambda store, run_id: store.pin_run(Pin(run_id, by, reason, wiring.utc_now()))
    )
    return Result([f"{run_id}: its rankings and answers are kept."], {"run_id": run_id, "pinned": True})


async def change_pin(path: Path, prefix: str, change: Callable[[RetentionStore, str], Awaitable[object]]) -> str:
    """Change the pin of the run that begins so; its whole id."""
    from monitor.cli.identifiers import load_run
    from monitor.cli.url_targets import load_with_targets
    from monitor.errors import StoreError
    from monitor.ports.retention import RetentionStore
    from monitor.service import wiring

    async with wiring.open_store(load_with_targets(path).config) as store:
        if not isinstance(store, RetentionStore):
            raise StoreError("this store has no retention")
        run = await load_run(store, prefix)
        await change(store, run.run_id)
    return run.run_id
