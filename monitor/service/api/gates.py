"""The gate over HTTP: start one, ask for its verdict, or ask for the latest verdict about a target."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from monitor.errors import ConfigError, SuiteError
from monitor.model.access import Scope
from monitor.model.gates import Gate
from monitor.model.verdicts import VerdictName
from monitor.service.api.backend import TheBackend, TheCaller
from monitor.service.api.cursors import Page
from monitor.service.api.gate_runner import BusyError
from monitor.service.api.pipeline import ApiRoute, needs
from monitor.service.api.problems import RefusedError
from monitor.service.api.shapes import CostShape, GateAnswer, GateBody, Id, Name

router = APIRouter(route_class=ApiRoute)
MaxAge = Annotated[
    float | None, Query(gt=0, le=31_622_400, description="A verdict that is older, in seconds, is inconclusive.")
]


@router.post("/gate", status_code=202, **needs(Scope.RUN, 404, 409))
async def start(body: GateBody, backend: TheBackend, caller: TheCaller, response: Response) -> Gate:
    """Start a gate; the location of the answer has its verdict once it is finished."""
    try:
        gate = await backend.gates.start(body.model_dump(mode="json"), caller.name)
    except (ConfigError, SuiteError) as error:
        raise RefusedError(404, str(error)) from error
    except BusyError as error:
        raise RefusedError(429, str(error), {"retry-after": "30"}) from error
    response.headers["location"] = f"/api/v1/gate/{gate.gate_id}"
    return gate


@router.post("/gate/cost", **needs(Scope.RUN, 404))
async def cost(body: GateBody, backend: TheBackend) -> Page[CostShape]:
    """The cost of a gate, for each candidate. Nothing is sent, and nothing is stored."""
    try:
        costs = await backend.gates.costs(body.model_dump(mode="json"))
    except (ConfigError, SuiteError) as error:
        raise RefusedError(404, str(error)) from error
    return Page(items=[CostShape(target=target, sentence=cost.sentence, **cost.to_dict()) for target, cost in costs])


@router.get("/gate/{gate_id}", **needs(Scope.READ, 404))
async def gate(gate_id: Id, backend: TheBackend) -> Gate:
    """One gate: its status and, once it is finished, the verdict, the exit code and the whole report."""
    loaded = await backend.gates.load(gate_id)
    if loaded is None:
        raise RefusedError(404, f"no gate {gate_id}")
    return loaded


@router.get("/gate", **needs(Scope.READ, 404))
async def latest(target: Name, backend: TheBackend, max_age_s: MaxAge = None) -> GateAnswer:
    """The latest verdict about a target, from any cycle or gate."""
    verdict = await backend.store().latest_verdict(target)
    if verdict is None:
        raise RefusedError(404, f'no verdict about "{target:.80}" yet')
    age_s = (backend.now() - verdict.decided_at).total_seconds()
    is_old = max_age_s is not None and age_s > max_age_s
    name = VerdictName.INCONCLUSIVE if is_old else verdict.name
    return GateAnswer(
        target=target,
        gate=name,
        passed=name is VerdictName.PASSED,
        verdict_id=verdict.verdict_id,
        decided_at=verdict.decided_at,
        age_s=age_s,
        summary=verdict.summary,
    )
