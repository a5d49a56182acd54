"""Declared deployments and detected swaps."""

from __future__ import annotations

from fastapi import APIRouter

from monitor.model.access import Scope
from monitor.model.deployments import Deployment, Swap
from monitor.service.api.backend import TheBackend, TheCaller
from monitor.service.api.cursors import Cursor, Limit, Page, page_of
from monitor.service.api.pipeline import ApiRoute, needs
from monitor.service.api.problems import RefusedError
from monitor.service.api.shapes import DeploymentBody, TargetFilter

router = APIRouter(route_class=ApiRoute)


@router.get("/deployments", **needs(Scope.READ))
async def deployments(
    backend: TheBackend, target: TargetFilter = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[Deployment]:
    """Declared deployments, newest first."""
    store = backend.store()
    items, following = await page_of(
        lambda count: store.deployments(target, count),
        lambda each: f"{each.declared_at.isoformat()} {each.target} {each.name}",
        limit,
        cursor,
    )
    return Page(items=items, next=following)


@router.post("/deployments", status_code=201, **needs(Scope.DEPLOY, 404))
async def declare(body: DeploymentBody, backend: TheBackend, caller: TheCaller) -> Deployment:
    """Declare which deployment a target serves from now on; the daemon probes it at once."""
    targets = backend.checked().config.targets
    if body.target not in targets:
        names = ", ".join(targets) or "none"
        raise RefusedError(404, f'unknown target "{body.target:.80}"; known targets: {names}')
    deployment = Deployment(
        target=body.target,
        name=body.name,
        declared_by=body.by or caller.name,
        declared_at=backend.now(),
        detail=dict(body.detail),
    )
    await backend.store().save_deployment(deployment)
    await backend.sign(caller, body.by, "deployment.declared", body.target)
    return deployment


@router.get("/swaps", **needs(Scope.READ))
async def swaps(
    backend: TheBackend, target: TargetFilter = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[Swap]:
    """Detected changes of deployments, with their likely causes, newest first."""
    store = backend.store()
    items, following = await page_of(
        lambda count: store.list_swaps(target, count), lambda each: each.run_id, limit, cursor
    )
    return Page(items=items, next=following)
