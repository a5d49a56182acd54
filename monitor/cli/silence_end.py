"""`recallwatch silence end`: end a silence that a person set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, By, ConfigPath, finish, perform
from monitor.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path


def silence_end(
    silence: Annotated[str, typer.Argument(help="The id of the silence, or the beginning of it.")],
    by: By,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """End a silence now; it stays on record."""
    finish(perform(end(config, silence, by)), as_json)


async def end(path: Path, prefix: str, by: str) -> Result:
    """Mark the silence as ended, by this person and now."""
    from dataclasses import replace

    from monitor.cli.silence_list import silence_to_dict
    from monitor.service import wiring

    async with wiring.open_store(wiring.load(path).config) as store:
        names = (prefix, f"silence_{prefix}")
        matches = [each for each in await store.silences() if each.silence_id.startswith(names)]
        if len(matches) != 1:
            listed = ", ".join(each.silence_id for each in matches) or "none"
            raise StoreError(f'silence "{prefix}": {listed} begin so; `recallwatch silence list` prints them')
        ended = replace(matches[0], ended_by=by, ended_at=wiring.utc_now())
        await store.save_silence(ended)
    return Result([f"[green]✓[/] {ended.silence_id} is ended"], silence_to_dict(ended))
