"""`recallwatch incident acknowledge`, in short `ack`: acknowledge an incident."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, By, ConfigPath, IncidentId, finish, perform

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.cli.result import Result


def incident_acknowledge(
    by: By, incident: IncidentId = None, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False
) -> None:
    """Acknowledge an incident: you look after it, and all who received its alert are notified."""
    finish(perform(acknowledge(config, incident, by)), as_json)


async def acknowledge(path: Path, prefix: str | None, by: str) -> Result:
    """Acknowledge an incident."""
    from monitor.cli.incident_card import change_incident
    from monitor.incidents import lifecycle
    from monitor.service import wiring

    at = wiring.utc_now()
    return await change_incident(
        path,
        prefix,
        lambda incident, on_call, facts: lifecycle.acknowledge(incident, on_call, by=by, at=at, facts=facts),
        "acknowledged",
    )
