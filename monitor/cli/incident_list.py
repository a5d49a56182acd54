"""`recallwatch incident list`: incidents, and how often each policy paged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, Limit, finish, perform

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.table import Table

    from monitor.model.incidents import Incident, Tally

_COLOURS = {"critical": "bold red", "warning": "yellow"}


def incident_list(limit: Limit = 20, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """List incidents, open ones first, and the false-alarm ledger."""
    finish(perform(list_incidents(config, limit)), as_json)


async def list_incidents(path: Path, limit: int) -> Result:
    """Incidents, open ones first, and the false-alarm ledger."""
    from dataclasses import asdict

    from monitor.cli.incident_card import incident_to_dict
    from monitor.service import wiring

    async with wiring.open_store(wiring.load(path).config) as store:
        incidents, tallies = await store.list_incidents(limit), await store.tally_incidents()
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
