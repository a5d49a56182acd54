"""What the commands about incidents and routes do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from monitor.cli.result import Result
from monitor.cli.runs import deliver_now
from monitor.errors import StoreError
from monitor.incidents.lifecycle import Step, acknowledge, dismiss
from monitor.incidents.payload import duration_s
from monitor.incidents.routing import Labels
from monitor.model.incidents import Incident, Severity, Tally
from monitor.reports.terminal import plain
from monitor.service import wiring

_COLOURS = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow"}


async def listed(path: Path, limit: int) -> Result:
    """Incidents, those that last first, and the noise ledger."""
    async with wiring.open_store(wiring.load(path).config) as store:
        incidents, tallies = await store.list_incidents(limit), await store.tally_incidents()
    data = {"incidents": [_told(each) for each in incidents], "ledger": [asdict(each) for each in tallies]}
    return Result([incident_table(incidents), ledger_table(tallies)], data)


async def shown(path: Path, incident_id: str) -> Result:
    """One incident."""
    async with wiring.open_store(wiring.load(path).config) as store:
        incident = await store.load_incident(incident_id)
    return Result([_card(incident)], _told(incident))


async def taken(path: Path, incident_id: str, by: str) -> Result:
    """Acknowledge an incident."""
    parts = wiring.load(path)
    at, on_call = wiring.utc_now(), parts.config.on_call
    return await _move(parts, incident_id, lambda found: acknowledge(found, on_call, by=by, at=at), "acknowledged")


async def dismissed(path: Path, incident_id: str, by: str, reason: str) -> Result:
    """Say that an incident is a false alarm."""
    parts = wiring.load(path)
    at, on_call = wiring.utc_now(), parts.config.on_call
    return await _move(
        parts, incident_id, lambda found: dismiss(found, on_call, by=by, reason=reason, at=at), "dismissed"
    )


async def routed(path: Path, labels: Labels) -> Result:
    """Who would be told of an alert with these labels."""
    on_call = wiring.load(path).config.on_call
    owned = labels if labels.owner else _with_owner(labels, on_call.owners.get(labels.target, ""))
    notifiers = on_call.notifiers_for(owned)
    until, reason = on_call.silence_for(owned, wiring.utc_now())
    shown: list[RenderableType] = [f"→ {', '.join(notifiers) or 'nobody'}"]
    if until is not None:
        shown.append(f"[yellow]silenced now, until {until:%Y-%m-%d %H:%M} UTC: {reason}[/]")
    data = {"labels": asdict(owned), "notifiers": notifiers, "silenced_until": until, "silence": reason}
    return Result(shown, data)


async def _move(parts: wiring.CheckedConfig, incident_id: str, step: Callable[[Incident], Step], done: str) -> Result:
    async with wiring.open_store(parts.config) as store:
        while True:
            found = await store.load_incident(incident_id)
            moved, alerts = step(found)
            if moved is None or moved is found:
                raise StoreError(f"incident {incident_id} is {found.status}: it cannot be {done}")
            if await store.save_incident(moved, alerts):  # else somebody was first: look again
                break
        await deliver_now(parts, store)
    return Result([f"[green]✓[/] {incident_id} is {done}", _card(moved)], _told(moved))


def incident_table(incidents: Iterable[Incident]) -> Table:
    """Incidents, a line each."""
    table = Table("incident", "status", "severity", "target", "what", "opened", "lasted", title="Incidents")
    table.title_justify = "left"
    for each in incidents:
        lasted = duration_s(each)
        table.add_row(
            each.incident_id,
            each.status,
            f"[{_COLOURS[each.severity]}]{each.severity}[/]",
            each.target,
            each.verdict_name,
            f"{each.opened_at:%Y-%m-%d %H:%M}",
            "" if lasted is None else f"{lasted / 60:.0f} min",
        )
    return table


def ledger_table(tallies: Iterable[Tally]) -> Table:
    """How often each policy called, and how often it was right to."""
    table = Table("target", "policy", "fired", "confirmed", "dismissed", title="Noise ledger", title_justify="left")
    for each in tallies:
        table.add_row(each.target, each.policy, str(each.fired), str(each.confirmed), str(each.dismissed))
    return table


def _card(incident: Incident) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in _told(incident).items():
        if value not in (None, "", [], {}):
            table.add_row(name.replace("_", " "), Text(str(value)))
    return table


def _told(incident: Incident) -> dict[str, Any]:
    return {
        **plain(incident, leave_out=("recovering", "n_paging", "revision")),
        "suites": list(incident.suites),
        "passed_in_a_row": dict(incident.recovering),
        "duration_s": duration_s(incident),
    }


def _with_owner(labels: Labels, owner: str) -> Labels:
    return Labels(labels.target, labels.severity, owner, labels.axes, labels.suites)
