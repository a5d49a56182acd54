"""Ids by their beginning, and the noise floor of a target."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query

from monitor.model.access import Scope
from monitor.service.api.backend import TheBackend
from monitor.service.api.cursors import Cursor, Limit, Page, page_of
from monitor.service.api.pipeline import ApiRoute, needs
from monitor.service.api.shapes import Name, NoiseShape

router = APIRouter(route_class=ApiRoute)
Prefix = Annotated[str, Query(max_length=100, pattern=r"^[A-Za-z0-9_.:-]*$", description="The beginning of the ids.")]


class IdKind(StrEnum):
    """What an id names."""

    RUN = "run"
    VERDICT = "verdict"
    INCIDENT = "incident"


@router.get("/ids/{kind}", **needs(Scope.READ))
async def ids(
    kind: IdKind, backend: TheBackend, prefix: Prefix = "", limit: Limit = 50, cursor: Cursor = None
) -> Page[str]:
    """Ids that begin so, newest first. An incident is also found without the ``incident_`` of its id."""
    store = backend.store()
    find = {
        IdKind.RUN: store.find_run_ids,
        IdKind.VERDICT: store.find_verdict_ids,
        IdKind.INCIDENT: store.find_incident_ids,
    }[kind]
    items, following = await page_of(lambda count: find(prefix, count), str, limit, cursor)
    return Page(items=items, next=following)


@router.get("/noise", **needs(Scope.READ))
async def noise(target: Name, suite: Name, backend: TheBackend) -> Page[NoiseShape]:
    """The noise floor that change detection learned of a target and suite; none before its first decision."""
    state = await backend.store().detector_state(target, suite)
    items = [NoiseShape(baseline_run_id=state.baseline_run_id, noise=state.noise)] if state else []
    return Page(items=items)
