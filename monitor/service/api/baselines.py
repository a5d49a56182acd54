"""Baselines: those in force, those before, and the promotion of a run."""

from __future__ import annotations

from fastapi import APIRouter

from monitor.model.access import Scope
from monitor.model.deployments import Baseline
from monitor.model.runs import RunStatus
from monitor.ports.ledger import PastBaseline
from monitor.service.api.backend import TheBackend, TheCaller
from monitor.service.api.cursors import Cursor, Limit, Page, page_of
from monitor.service.api.pipeline import ApiRoute, needs
from monitor.service.api.problems import RefusedError
from monitor.service.api.shapes import PromotionBody, TargetFilter

router = APIRouter(route_class=ApiRoute)


@router.get("/baselines", **needs(Scope.READ))
async def baselines(backend: TheBackend) -> Page[Baseline]:
    """The baselines in force."""
    return Page(items=await backend.store().baselines())


@router.get("/baselines/history", **needs(Scope.READ))
async def history(
    backend: TheBackend, target: TargetFilter = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[PastBaseline]:
    """Baselines in force and retired ones, newest first."""
    store = backend.store()
    items, following = await page_of(
        lambda count: store.baseline_history(target, count),
        lambda each: f"{each.baseline.promoted_at.isoformat()} {each.baseline.target} {each.baseline.suite_name}",
        limit,
        cursor,
    )
    return Page(items=items, next=following)


@router.post("/baselines", status_code=201, **needs(Scope.ADMIN, 404, 409))
async def promote(body: PromotionBody, backend: TheBackend, caller: TheCaller) -> Baseline:
    """Make a finished run the baseline of its target and suite."""
    store = backend.store()
    run = await store.load_run(body.run_id)
    if run.status is not RunStatus.FINISHED:
        raise RefusedError(409, f"run {run.run_id} is {run.status}, not finished: it cannot be a baseline")
    baseline = Baseline(
        target=run.target,
        suite_name=run.suite_name,
        run_id=run.run_id,
        promoted_by=body.by or caller.name,
        reason=body.reason,
        promoted_at=backend.now(),
    )
    await store.promote(baseline)
    await backend.sign(caller, body.by, "baseline.promoted", run.run_id)
    return baseline
