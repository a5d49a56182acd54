"""One incident as a card, as plain values, and through one step of its life."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from monitor.alerting import attention
from monitor.cli.identifiers import incident_id_of
from monitor.cli.queued_alerts import deliver_queued
from monitor.cli.result import Result
from monitor.errors import StoreError
from monitor.incidents.payload import duration_s
from monitor.model.incidents import Incident
from monitor.reports.terminal import plain
from monitor.service import wiring


def incident_card(incident: Incident) -> Table:
    """Every field of an incident that has a value."""
    table = Table.grid(padding=(0, 2))
    for name, value in incident_to_dict(incident).items():
        if value not in (None, "", [], {}):
            table.add_row(name.replace("_", " "), Text(str(value)))
    return table


def incident_to_dict(incident: Incident) -> dict[str, Any]:
    """An incident as plain values."""
    return {
        **plain(incident, leave_out=("recovering", "n_paging", "revision")),
        "suites": list(incident.suites),
        "passed_in_a_row": dict(incident.recovering),
        "duration_s": duration_s(incident),
    }


async def change_incident(path: Path, prefix: str | None, step: attention.Change, done: str) -> Result:
    """Take one step in the life of an incident, and deliver its alerts. ``done`` names the new status."""
    checked = wiring.load(path)
    async with wiring.open_store(checked.config) as store:
        incident_id = await incident_id_of(store, prefix)
        incident, is_changed = await attention.change_incident(incident_id, step, store, checked.config.on_call)
        if not is_changed:
            raise StoreError(f"incident {incident_id} is {incident.status}: it cannot be {done}")
        await deliver_queued(checked, store)
    return Result([f"[green]✓[/] {incident_id} is {done}", incident_card(incident)], incident_to_dict(incident))
