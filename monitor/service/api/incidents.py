"""Incidents: list, show, acknowledge, dismiss; and silences."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from monitor.incidents import lifecycle
from monitor.incidents.lifecycle import Step
from monitor.model.access import Scope
from monitor.model.incidents import Incident
from monitor.model.silences import Silence
from monitor.service.api.backend import Backend, TheBackend, TheCaller
from monitor.service.api.cursors import Cursor, Limit, Page, page_of
from monitor.service.api.pipeline import ApiRoute, needs
from monitor.service.api.problems import RefusedError
from monitor.service.api.shapes import Id, ReasonBody

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


@router.post("/incidents/{incident_id}/acknowledge", **needs(Scope.ADMIN, 404, 409))
async def acknowledge(incident_id: Id, backend: TheBackend, caller: TheCaller) -> Incident:
    """Acknowledge an incident: the caller looks after it."""
    on_call, now = backend.checked().config.on_call, backend.now()
    return await _change(
        incident_id, lambda each: lifecycle.acknowledge(each, on_call, by=caller.name, at=now), backend
    )


@router.post("/incidents/{incident_id}/dismiss", **needs(Scope.ADMIN, 404, 409))
async def dismiss(incident_id: Id, body: ReasonBody, backend: TheBackend, caller: TheCaller) -> Incident:
    """Dismiss an incident as a false alarm."""
    on_call, now = backend.checked().config.on_call, backend.now()
    return await _change(
        incident_id,
        lambda each: lifecycle.dismiss(each, on_call, by=caller.name, reason=body.reason, at=now),
        backend,
    )


@router.get("/silences", **needs(Scope.READ))
async def silences(backend: TheBackend) -> Page[Silence]:
    """Silences of the configuration, and those that people set."""
    configured = backend.checked().config.on_call.silences
    return Page(items=[*configured, *await backend.store().silences()])


async def _change(incident_id: str, step: Callable[[Incident], Step], backend: Backend) -> Incident:
    """Take one step in the life of an incident; if another process was first, again."""
    store = backend.store()
    while True:
        before = await store.load_incident(incident_id)
        after, alerts = step(before)
        if after is None or after is before:
            raise RefusedError(409, f"incident {incident_id} is {before.status}: it cannot be changed so")
        if await store.save_incident(after, alerts):
            backend.wake()
            return after
