"""`recallwatch incident acknowledge`, in short `ack`: acknowledge an incident."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.cli.place import HERE, Place
from monitor.cli.terminal import AsJson, By, IncidentId, finish, perform

if TYPE_CHECKING:
    from monitor.cli.result import Result


def incident_acknowledge(by: By, incident: IncidentId = None, place: Place = HERE, as_json: AsJson = False) -> None:
    """Acknowledge an incident: you look after it, and all who received its alert are notified."""
    finish(perform(acknowledge(place, incident, by)), as_json)


async def acknowledge(place: Place, prefix: str | None, by: str) -> Result:
    """Acknowledge an incident."""
    from monitor.cli.incident_card import change_incident

    return await change_incident(place, prefix, lambda session, name: session.acknowledge(name, by=by), "acknowledged")
