"""`recallwatch audit export`: the audit log as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, finish, perform
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.model.audit import AuditEntry


def audit_export(
    file: Annotated[Path | None, typer.Argument(help="A new file; without it, standard output.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Only entries after this number.")] = 0,
    place: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """Export the audit log, one JSON object per line, with everything that a verification needs."""
    finish(perform(export(place, file, after)), as_json)


async def export(place: Place, file: Path | None, after: int) -> Result:
    """Every entry after a number: written to a file, or as the output of the command."""
    from monitor.cli.session import open_session

    async with open_session(place) as session:
        entries = [entry async for entry in session.audit_entries(after=after)]
    data = {"entries": [_plain(entry) for entry in entries]}
    if file is None:
        from rich.text import Text

        return Result([Text(json.dumps(entry), no_wrap=True, overflow="ignore") for entry in data["entries"]], data)
    try:
        with file.open("x", encoding="utf-8") as output:
            output.writelines(json.dumps(entry) + "\n" for entry in data["entries"])
    except OSError as error:
        raise ConfigError(str(file), error.strerror or str(error)) from error
    return Result([f"[green]✓[/] {len(entries):,} entries written to {file}"], data)


def _plain(entry: AuditEntry) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(entry) | {"recorded_at": entry.recorded_at.isoformat()}
