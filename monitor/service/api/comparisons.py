"""Comparisons: stored verdicts, and two stored runs on demand."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from monitor.change_detection.look import ON_REQUEST
from monitor.decision.verdict import decide
from monitor.errors import ConfigError
from monitor.evaluation.scoring import measure
from monitor.model.access import Scope
from monitor.model.results import SuiteResult
from monitor.model.runs import RunStatus
from monitor.model.verdicts import Look
from monitor.plan import Plan
from monitor.service.api.backend import TheBackend
from monitor.service.api.cursors import Cursor, Limit, Page, page_of
from monitor.service.api.pipeline import ApiRoute, needs
from monitor.service.api.problems import RefusedError
from monitor.service.api.shapes import ComparisonBody, Id, TargetFilter, VerdictShape, verdict_shape

router = APIRouter(route_class=ApiRoute)


@router.get("/comparisons", **needs(Scope.READ))
async def comparisons(
    backend: TheBackend, target: TargetFilter = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[VerdictShape]:
    """Stored verdicts, newest first."""
    store = backend.store()
    items, following = await page_of(
        lambda count: store.list_verdicts(count, target), lambda each: each.verdict_id, limit, cursor
    )
    return Page(items=[verdict_shape(each) for each in items], next=following)


@router.get("/comparisons/{verdict_id}", **needs(Scope.READ, 404))
async def comparison(verdict_id: Id, backend: TheBackend) -> VerdictShape:
    """One verdict with its evidence."""
    return verdict_shape(await backend.store().load_verdict(verdict_id))


@router.post("/comparisons", **needs(Scope.READ, 404))
async def compare(body: ComparisonBody, backend: TheBackend) -> VerdictShape:
    """Compare two stored runs of one suite now. Nothing is stored."""
    store = backend.store()
    runs = [await store.load_run(run_id) for run_id in (body.baseline_run, body.candidate_run)]
    for run in runs:
        if run.status is not RunStatus.FINISHED:
            raise RefusedError(409, f"run {run.run_id} is {run.status}, not finished: it cannot be compared")
    try:
        policy = backend.checked().config.policy(body.policy)
    except ConfigError as error:
        raise RefusedError(404, error.problem) from error
    suites = [await store.load_suite(run.suite_digest) for run in runs]
    plan = Plan(target=runs[1].target, suites=(suites[1],), policy=policy)
    measured = [measure(run, suite, plan.measures) for run, suite in zip(runs, suites, strict=True)]
    result = SuiteResult(measured=measured[1], baseline=measured[0])
    look = Look(0, ON_REQUEST, policy.alpha_page)
    verdict = await asyncio.to_thread(decide, plan, [result], look, cycle_id=runs[1].cycle_id, at=backend.now())
    return verdict_shape(verdict)
