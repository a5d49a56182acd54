"""`recallwatch silence list`: the silences of the configuration and of people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, finish, perform

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.model.silences import Silence


def silence_list(
    ended: Annotated[bool, typer.Option("--ended", help="Also those that a person ended.")] = False,
    place: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """List silences: those of the configuration file, then those that people set."""
    finish(perform(list_silences(place, ended)), as_json)


async def list_silences(place: Place, ended: bool) -> Result:
    """Every silence, with its end if it holds alerts back now."""
    from rich.table import Table

    from monitor.cli.session import open_session
    from monitor.service import wiring

    async with open_session(place, needs_file=True) as session:
        silences = [*await session.silences_of_configuration(), *await session.records.silences(ended=ended)]
    now = wiring.utc_now()
    table = Table("silence", "author", "reason", "alerts", "when", "now", title="Silences", title_justify="left")
    for silence in silences:
        until = silence.end_after(now)
        state = f"until {until:%Y-%m-%d %H:%M} UTC" if until else f"ended by {silence.ended_by}" if ended else ""
        match = ", ".join(f"{label}={'|'.join(accepted)}" for label, accepted in silence.match.items()) or "all"
        origin = (silence.silence_id or "configuration", silence.author)
        table.add_row(*origin, silence.reason, match, when_of(silence), state)
    return Result([table], {"silences": [silence_to_dict(silence) for silence in silences]})


def when_of(silence: Silence) -> str:
    """The time of a silence in a few words."""
    ends = f"until {_minute(silence.ends_at)} UTC" if silence.ends_at else ""
    if silence.daily is None:
        return f"{_minute(silence.starts_at)} to {_minute(silence.ends_at)} UTC" if silence.starts_at else ends
    start, end = silence.daily
    days = f"{','.join(silence.weekdays) or 'daily'} {start:%H:%M}-{end:%H:%M} {silence.zone}"
    return f"{days} {ends}".strip()


def _minute(at: datetime | None) -> str:
    from datetime import UTC

    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else ""


def silence_to_dict(silence: Silence) -> dict[str, Any]:
    """A silence as plain values."""
    from dataclasses import asdict

    return asdict(silence) | {"when": when_of(silence)}
