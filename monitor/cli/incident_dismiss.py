"""`recallwatch incident dismiss`: mark an incident as a false alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.terminal import AsJson, By, IncidentId, finish, perform

if TYPE_CHECKING:
    from monitor.cli.result import Result


def incident_dismiss(
    reason: Annotated[str, typer.Option(help="Why it is a false alarm.")],
    by: By,
    incident: IncidentId = None,
    place: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """Mark an incident as a false alarm. The same drop does not page again; a worse or another one does."""
    finish(perform(dismiss(place, incident, by, reason)), as_json)


async def dismiss(place: Place, prefix: str | None, by: str, reason: str) -> Result:
    """Mark an incident as a false alarm."""
    from monitor.cli.incident_card import change_incident

    return await change_incident(
        place, prefix, lambda session, name: session.dismiss(name, by=by, reason=reason), "dismissed"
    )
