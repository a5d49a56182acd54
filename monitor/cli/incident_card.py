"""One incident as a card, as plain values, and through one step of its life."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from rich.table import Table
from rich.text import Text

from monitor.cli.identifiers import incident_id_of
from monitor.cli.place import Place
from monitor.cli.result import Result
from monitor.cli.session import Session, open_session
from monitor.incidents.payload import duration_s
from monitor.model.incidents import Incident
from monitor.reports.terminal import plain


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


Change = Callable[[Session, str], Awaitable[Incident]]
"""Changes the incident with this id."""


async def change_incident(place: Place, prefix: str | None, change: Change, done: str) -> Result:
    """Take one step in the life of an incident. ``done`` names the new status."""
    async with open_session(place, needs_file=True) as session:
        incident_id = await incident_id_of(session.records, prefix)
        incident = await change(session, incident_id)
    return Result([f"[green]✓[/] {incident_id} is {done}", incident_card(incident)], incident_to_dict(incident))
