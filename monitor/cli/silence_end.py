"""`recallwatch silence end`: end a silence that a person set."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, By, finish, perform
from monitor.errors import StoreError


def silence_end(
    silence: Annotated[str, typer.Argument(help="The id of the silence, or the beginning of it.")],
    by: By,
    place: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """End a silence now; it stays on record."""
    finish(perform(end(place, silence, by)), as_json)


async def end(place: Place, prefix: str, by: str) -> Result:
    """Mark the silence as ended, by this person and now."""
    from dataclasses import replace

    from monitor.cli.session import open_session
    from monitor.cli.silence_list import silence_to_dict
    from monitor.service import wiring

    async with open_session(place, needs_file=True) as session:
        records = session.records
        names = (prefix, f"silence_{prefix}")
        matches = [each for each in await records.silences() if each.silence_id.startswith(names)]
        if len(matches) != 1:
            listed = ", ".join(each.silence_id for each in matches) or "none"
            raise StoreError(f'silence "{prefix}": {listed} begin so; `recallwatch silence list` prints them')
        ended = replace(matches[0], ended_by=by, ended_at=wiring.utc_now())
        await records.save_silence(ended)
        stored = await records.silences(ended=True)
    ended = next(each for each in stored if each.silence_id == ended.silence_id)
    return Result([f"[green]✓[/] {ended.silence_id} is ended"], silence_to_dict(ended))
