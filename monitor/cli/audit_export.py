"""`recallwatch audit export`: the audit log as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, finish, perform
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.model.audit import AuditEntry


def audit_export(
    file: Annotated[Path | None, typer.Argument(help="A new file; without it, standard output.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Only entries after this number.")] = 0,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Export the audit log, one JSON object per line, with everything that a verification needs."""
    finish(perform(export(config, file, after)), as_json)


async def export(path: Path, file: Path | None, after: int) -> Result:
    """Every entry after a number: written to a file, or as the output of the command."""
    from monitor.cli.url_targets import load_with_targets
    from monitor.service.ledger import open_ledger

    async with open_ledger(load_with_targets(path).config) as ledger:
        entries = [entry async for entry in ledger.all_audit_entries(after=after)]
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
