"""Runs, their outcomes and their measurements."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query

from monitor.evaluation.scoring import measure
from monitor.model.access import Scope
from monitor.model.runs import Outcome, Run, RunStatus
from monitor.plan import Plan
from monitor.reports.terminal import run_to_dict
from monitor.service.api.backend import TheBackend
from monitor.service.api.cursors import Cursor, Limit, Page, page_of
from monitor.service.api.pipeline import ApiRoute, needs
from monitor.service.api.problems import RefusedError
from monitor.service.api.shapes import Id, TargetFilter

router = APIRouter(route_class=ApiRoute)
StatusFilter = Annotated[RunStatus | None, Query(description="Only those of this status.")]


@router.get("/runs", **needs(Scope.READ))
async def runs(
    backend: TheBackend,
    target: TargetFilter = None,
    status: StatusFilter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Run]:
    """Runs without their outcomes, newest first."""
    store = backend.store()
    items, following = await page_of(
        lambda count: store.list_runs(count, status, target), lambda each: each.run_id, limit, cursor
    )
    return Page(items=items, next=following)


@router.get("/runs/{run_id}", **needs(Scope.READ, 404))
async def run(run_id: Id, backend: TheBackend) -> Run:
    """One run with its outcomes."""
    return await backend.store().load_run(run_id)


@router.get("/runs/{run_id}/outcomes", **needs(Scope.READ, 404))
async def outcomes(run_id: Id, backend: TheBackend, limit: Limit = 50, cursor: Cursor = None) -> Page[Outcome]:
    """The outcomes of a run, in the order of its suite."""
    loaded = await backend.store().load_run(run_id)

    async def first(count: int) -> tuple[Outcome, ...]:
        return loaded.outcomes[:count]

    items, following = await page_of(first, lambda each: each.query_id, limit, cursor)
    return Page(items=items, next=following)


@router.get("/runs/{run_id}/measurements", **needs(Scope.READ, 404))
async def measurements(run_id: Id, backend: TheBackend) -> dict[str, Any]:
    """The measures of a run: overall, by stratum, with bounds over unjudged documents."""
    store = backend.store()
    loaded = await store.load_run(run_id)
    if loaded.dropped_at is not None:
        return run_to_dict(await store.load_measured(run_id))
    if loaded.status is not RunStatus.FINISHED:
        raise RefusedError(409, f"run {run_id} is {loaded.status}, not finished: it has no measurements")
    suite = await store.load_suite(loaded.suite_digest)
    plan = Plan(target=loaded.target, suites=(suite,), policy=backend.checked().config.policy("default"))
    return await asyncio.to_thread(lambda: run_to_dict(measure(loaded, suite, plan.measures)))
