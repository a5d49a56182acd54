"""`recallwatch silence add`: hold matching alerts back for a time, with author and reason."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, By, finish, perform
from monitor.errors import ConfigError


def silence_add(
    reason: Annotated[str, typer.Option(help="Why; it is recorded with every alert that is held back.")],
    by: By,
    match: Annotated[list[str] | None, typer.Option(help="Alerts it applies to, as label=value. Repeatable.")] = None,
    duration: Annotated[str, typer.Option("--for", help="How long, from now, such as 2h.")] = "",
    starts: Annotated[str, typer.Option("--from", help="The start, such as 2026-03-01T22:00:00+01:00.")] = "",
    ends: Annotated[str, typer.Option("--to", help="The end, with its zone.")] = "",
    daily: Annotated[str, typer.Option(help="A part of each day, such as 22:00-06:00.")] = "",
    zone: Annotated[str, typer.Option(help="The time zone of --daily, such as Europe/Berlin.")] = "UTC",
    weekday: Annotated[list[str] | None, typer.Option(help="A day of --daily, such as sat. Repeatable.")] = None,
    place: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """Hold matching alerts back: once, or daily. Incidents are recorded, and sent afterwards if they are still open."""
    options: dict[str, Any] = {"reason": reason, "match": _labels(match or []), "weekdays": list(weekday or [])}
    options |= {"from": starts or None, "to": ends or None, "daily": daily or None, "zone": zone}
    finish(perform(add(place, options, duration, by)), as_json)


def _labels(pairs: list[str]) -> dict[str, list[str]]:
    labels: dict[str, list[str]] = {}
    for pair in pairs:
        label, separator, value = pair.partition("=")
        if not separator:
            raise ConfigError("--match", f"{pair!r} is not label=value, such as target=production")
        labels.setdefault(label, []).append(value)
    return labels


async def add(place: Place, options: dict[str, Any], duration: str, by: str) -> Result:
    """Check the silence as in a configuration file, and store it."""
    from dataclasses import replace
    from datetime import timedelta
    from uuid import uuid4

    from monitor.cli.session import open_session
    from monitor.cli.silence_list import silence_to_dict, when_of
    from monitor.config.routes import SilenceOptions
    from monitor.config.section import parse_duration, validate
    from monitor.service import wiring

    now = wiring.utc_now()
    if duration:
        try:
            options["to"] = (now + timedelta(seconds=parse_duration(duration))).isoformat()
        except ValueError as error:
            raise ConfigError("--for", str(error)) from None
    values = {key: value for key, value in options.items() if value not in (None, [], {})}
    checked = validate(SilenceOptions, values, where="silence").to_silence()
    silence = replace(checked, silence_id=f"silence_{uuid4().hex[:12]}", author=by, created_at=now)
    if silence.is_over(now):
        raise ConfigError("silence", "would hold nothing back: its end is not after its start and now")
    async with open_session(place, needs_file=True) as session:
        await session.records.save_silence(silence)
        stored = next(each for each in await session.records.silences() if each.silence_id == silence.silence_id)
    return Result([f"[green]✓[/] {stored.silence_id}: {when_of(stored)}"], silence_to_dict(stored))
