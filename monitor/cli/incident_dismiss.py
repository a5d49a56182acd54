"""`recallwatch incident dismiss`: mark an incident as a false alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, By, ConfigPath, IncidentId, finish, perform

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.cli.result import Result


def incident_dismiss(
    reason: Annotated[str, typer.Option(help="Why it is a false alarm.")],
    by: By,
    incident: IncidentId = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Mark an incident as a false alarm. The same drop does not page again; a worse or another one does."""
    finish(perform(dismiss(config, incident, by, reason)), as_json)


async def dismiss(path: Path, prefix: str | None, by: str, reason: str) -> Result:
    """Mark an incident as a false alarm."""
    from monitor.cli.incident_card import change_incident
    from monitor.incidents import lifecycle
    from monitor.service import wiring

    at = wiring.utc_now()
    return await change_incident(
        path,
        prefix,
        lambda incident, on_call, facts: lifecycle.dismiss(incident, on_call, by=by, reason=reason, at=at, facts=facts),
        "dismissed",
    )
