"""`recallwatch incident show`: one incident."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, IncidentId, finish, perform

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType


def incident_show(incident: IncidentId = None, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show one incident, with its page as it was sent, and the verdicts that are missing for its end."""
    finish(perform(show_incident(config, incident)), as_json)


async def show_incident(path: Path, prefix: str | None) -> Result:
    """One incident with the latest message about it."""
    from monitor.adapters.notifiers.message import plain_text, render
    from monitor.cli.identifiers import incident_id_of
    from monitor.cli.incident_card import incident_card, incident_to_dict
    from monitor.incidents.payload import missing_for_recovery
    from monitor.service import wiring

    async with wiring.open_store(wiring.load(path).config) as store:
        incident = await store.load_incident(await incident_id_of(store, prefix))
        alerts = await store.alerts_of(incident.incident_id)
        missing = missing_for_recovery(incident, await store.latest_verdict(incident.target))
    output: list[RenderableType] = [incident_card(incident)]
    output += [Text(plain_text(render(alerts[-1])))] if alerts else []
    output += [Text(missing, style="bold")] if missing else []
    data = incident_to_dict(incident) | {"missing": missing, "alerts": [dict(each.payload) for each in alerts]}
    return Result(output, data)
