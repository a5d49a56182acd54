"""`recallwatch incident list`: incidents, and how often each policy paged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, Limit, finish, perform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from monitor.model.incidents import Incident, Tally

_COLOURS = {"critical": "bold red", "warning": "yellow"}


def incident_list(limit: Limit = 20, place: Place = HERE, as_json: AsJson = False) -> None:
    """List incidents, open ones first, and the false-alarm ledger."""
    finish(perform(list_incidents(place, limit)), as_json)


async def list_incidents(place: Place, limit: int) -> Result:
    """Incidents, open ones first, and the false-alarm ledger."""
    from dataclasses import asdict

    from monitor.cli.incident_card import incident_to_dict
    from monitor.cli.session import open_session

    async with open_session(place, needs_file=True) as session:
        records = session.records
        incidents, tallies = await records.list_incidents(limit), await records.tally_incidents()
    data = {
        "incidents": [incident_to_dict(incident) for incident in incidents],
        "ledger": [asdict(tally) for tally in tallies],
    }
    return Result([_incident_table(incidents), _ledger_table(tallies)], data)


def _incident_table(incidents: Iterable[Incident]) -> Table:
    from rich.table import Table

    from monitor.incidents.payload import duration_s

    headings = ("incident", "status", "severity", "target", "verdict", "opened", "duration")
    table = Table(*headings, title="Incidents", title_justify="left")
    for incident in incidents:
        seconds = duration_s(incident)
        table.add_row(
            incident.incident_id,
            incident.status,
            f"[{_COLOURS[incident.severity]}]{incident.severity}[/]",
            incident.target,
            incident.verdict_name,
            f"{incident.opened_at:%Y-%m-%d %H:%M}",
            "" if seconds is None else f"{seconds / 60:.0f} min",
        )
    return table


def _ledger_table(tallies: Iterable[Tally]) -> Table:
    """Pages per policy, and how many were confirmed."""
    from rich.table import Table

    headings = ("target", "policy", "fired", "confirmed", "dismissed")
    table = Table(*headings, title="False-alarm ledger", title_justify="left")
    for tally in tallies:
        table.add_row(tally.target, tally.policy, str(tally.fired), str(tally.confirmed), str(tally.dismissed))
    return table
