"""Incidents: list, show, acknowledge, dismiss."""

from __future__ import annotations

from fastapi import APIRouter

from monitor.alerting import attention
from monitor.incidents import lifecycle
from monitor.model.access import Scope
from monitor.model.alerts import Alert
from monitor.model.incidents import Incident, Tally
from monitor.service.api.backend import Backend, TheBackend, TheCaller
from monitor.service.api.cursors import Cursor, Limit, Page, page_of
from monitor.service.api.pipeline import ApiRoute, needs
from monitor.service.api.problems import RefusedError
from monitor.service.api.shapes import THE_CALLER, Id, PersonBody, ReasonBody

router = APIRouter(route_class=ApiRoute)


@router.get("/incidents", **needs(Scope.READ))
async def incidents(backend: TheBackend, limit: Limit = 50, cursor: Cursor = None) -> Page[Incident]:
    """Incidents, active ones first, then by time, newest first."""
    items, following = await page_of(backend.store().list_incidents, lambda each: each.incident_id, limit, cursor)
    return Page(items=items, next=following)


@router.get("/incidents/{incident_id}", **needs(Scope.READ, 404))
async def incident(incident_id: Id, backend: TheBackend) -> Incident:
    """One incident."""
    return await backend.store().load_incident(incident_id)


@router.get("/incidents/{incident_id}/alerts", **needs(Scope.READ, 404))
async def alerts(incident_id: Id, backend: TheBackend) -> Page[Alert]:
    """The messages about an incident, oldest first."""
    store = backend.store()
    await store.load_incident(incident_id)
    return Page(items=await store.alerts_of(incident_id))


@router.get("/false-alarms", **needs(Scope.READ))
async def false_alarms(backend: TheBackend) -> Page[Tally]:
    """The false-alarm ledger: pages by target and policy, and how many were confirmed or dismissed."""
    return Page(items=await backend.store().tally_incidents())


@router.post("/incidents/{incident_id}/acknowledge", **needs(Scope.ADMIN, 404, 409))
async def acknowledge(
    incident_id: Id, backend: TheBackend, caller: TheCaller, body: PersonBody = THE_CALLER
) -> Incident:
    """Acknowledge an incident: a person looks after it."""
    by, at = body.by or caller.name, backend.now()
    changed = await _change(
        incident_id,
        lambda each, on_call, facts: lifecycle.acknowledge(each, on_call, by=by, at=at, facts=facts),
        "acknowledged",
        backend,
    )
    await backend.sign(caller, body.by, "incident.acknowledged", incident_id)
    return changed


@router.post("/incidents/{incident_id}/dismiss", **needs(Scope.ADMIN, 404, 409))
async def dismiss(incident_id: Id, body: ReasonBody, backend: TheBackend, caller: TheCaller) -> Incident:
    """Dismiss an incident as a false alarm."""
    by, at = body.by or caller.name, backend.now()
    changed = await _change(
        incident_id,
        lambda each, on_call, facts: lifecycle.dismiss(each, on_call, by=by, reason=body.reason, at=at, facts=facts),
        "dismissed",
        backend,
    )
    await backend.sign(caller, body.by, "incident.dismissed", incident_id)
    return changed


async def _change(incident_id: str, step: attention.Change, done: str, backend: Backend) -> Incident:
    """Take one step in the life of an incident, and have its alerts sent."""
    on_call = backend.checked().config.on_call
    incident, is_changed = await attention.change_incident(incident_id, step, backend.store(), on_call)
    if not is_changed:
        raise RefusedError(409, f"incident {incident_id} is {incident.status}: it cannot be {done}")
    backend.wake()
    return incident
