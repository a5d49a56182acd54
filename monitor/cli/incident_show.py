"""`recallwatch incident show`: one incident."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, IncidentId, finish, perform

if TYPE_CHECKING:
    from pathlib import Path


def incident_show(incident: IncidentId, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show one incident."""
    finish(perform(show_incident(config, incident)), as_json)


async def show_incident(path: Path, incident_id: str) -> Result:
    """One incident."""
    from monitor.cli.incident_card import incident_card, incident_to_dict
    from monitor.service import wiring

    async with wiring.open_store(wiring.load(path).config) as store:
        incident = await store.load_incident(incident_id)
    return Result([incident_card(incident)], incident_to_dict(incident))
