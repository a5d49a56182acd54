"""Steps that a person takes, or that time takes, in the life of an incident: acknowledge, dismiss, remind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

from monitor.incidents import lifecycle
from monitor.incidents.lifecycle import Step
from monitor.incidents.payload import carried_over
from monitor.incidents.routing import OnCall
from monitor.model.incidents import Incident, IncidentStatus
from monitor.ports.store import Store

Change: TypeAlias = Callable[[Incident, OnCall, Mapping[str, Any]], Step]
_MOST_OPEN = 1_000


async def change_incident(incident_id: str, change: Change, store: Store, on_call: OnCall) -> tuple[Incident, bool]:
    """Apply a step to an incident and queue its alerts, which repeat the evidence of the first one.

    Returns the incident and whether the step changed it. If another process changes it first, the step starts again.
    """
    while True:
        incident = await store.load_incident(incident_id)
        facts = carried_over(await store.alerts_of(incident_id))
        changed, alerts = change(incident, await with_stored_silences(on_call, store), facts)
        if changed is None or changed is incident:
            return incident, False
        if await store.save_incident(changed, alerts):
            return changed, True


async def acknowledge(incident_id: str, store: Store, on_call: OnCall, *, by: str, at: datetime) -> bool:
    """Acknowledge an incident. Returns False if there was nothing to acknowledge."""

    def step(incident: Incident, on_call: OnCall, facts: Mapping[str, Any]) -> Step:
        return lifecycle.acknowledge(incident, on_call, by=by, at=at, facts={**facts, "next_command": None})

    return (await change_incident(incident_id, step, store, on_call))[1]


async def send_reminders(store: Store, on_call: OnCall, at: datetime) -> int:
    """Queue the reminders that are due; return their number."""
    if not any(route.remind_every_s for route in on_call.routes):
        return 0
    open_incidents = [each for each in await store.list_incidents(_MOST_OPEN) if each.status is IncidentStatus.OPEN]
    n_sent = 0
    for incident in open_incidents:
        if lifecycle.remind(incident, on_call, at=at)[0] is not incident:
            n_sent += (await change_incident(incident.incident_id, _remind_at(at), store, on_call))[1]
    return n_sent


async def with_stored_silences(on_call: OnCall, store: Store) -> OnCall:
    """The routing with the silences that people set, besides those of the configuration."""
    stored = await store.silences()
    return replace(on_call, silences=(*on_call.silences, *stored)) if stored else on_call


def _remind_at(at: datetime) -> Change:
    return lambda incident, on_call, facts: lifecycle.remind(incident, on_call, at=at, facts=facts)
