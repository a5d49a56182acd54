"""`recallwatch incident show`: one incident."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, IncidentId, finish, perform

if TYPE_CHECKING:
    from rich.console import RenderableType


def incident_show(incident: IncidentId = None, place: Place = HERE, as_json: AsJson = False) -> None:
    """Show one incident, with its page as it was sent, and the verdicts that are missing for its end."""
    finish(perform(show_incident(place, incident)), as_json)


async def show_incident(place: Place, prefix: str | None) -> Result:
    """One incident with the latest message about it."""
    from monitor.adapters.notifiers.message import plain_text, render
    from monitor.cli.identifiers import incident_id_of
    from monitor.cli.incident_card import incident_card, incident_to_dict
    from monitor.cli.session import open_session
    from monitor.incidents.payload import missing_for_recovery

    async with open_session(place, needs_file=True) as session:
        records = session.records
        incident = await records.load_incident(await incident_id_of(records, prefix))
        alerts = await records.alerts_of(incident.incident_id)
        missing = missing_for_recovery(incident, await records.latest_verdict(incident.target))
    output: list[RenderableType] = [incident_card(incident)]
    output += [Text(plain_text(render(alerts[-1])))] if alerts else []
    output += [Text(missing, style="bold")] if missing else []
    data = incident_to_dict(incident) | {"missing": missing, "alerts": [dict(each.payload) for each in alerts]}
    return Result(output, data)
