"""Saying what a target serves: `POST /api/v1/deployments`, from people, pipelines and other tools' webhooks."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import jmespath
import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.errors import StoreError
from monitor.model.deployments import Deployment

MAX_BODY_BYTES = 1_000_000
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Declared:
    """Where deployments are declared, and by whom."""

    targets: Callable[[], Collection[str]]
    token: Callable[[], str | None]
    declare: Callable[[Deployment], Awaitable[None]]
    listed: Callable[[str | None], Awaitable[list[Deployment]]]
    now: Callable[[], datetime]


class _RefusedError(Exception):
    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


def routes(declared: Declared) -> list[Route]:
    """``GET`` lists what was declared, newest first; ``POST`` declares, and has the target probed at once.

    The body is ``{"target", "name", "by", "detail"}``. A webhook of another tool has a body of its own: then
    ``?target=`` names the target, and ``?name_at=`` says, as JMESPath, where in the body the name stands.
    """

    async def declare(request: Request) -> Response:
        deployment = _deployment(await _body(request), request, declared)
        await declared.declare(deployment)
        return JSONResponse(_plain(deployment), status_code=201)

    async def listed(request: Request) -> Response:
        found = await declared.listed(request.query_params.get("target"))
        return JSONResponse({"deployments": [_plain(each) for each in found]})

    async def answer(request: Request) -> Response:
        try:
            _authorise(request, declared.token())
            return await (declare if request.method == "POST" else listed)(request)
        except _RefusedError as refused:
            return JSONResponse({"problem": str(refused)}, status_code=refused.status)
        except StoreError as error:
            return JSONResponse({"problem": str(error)}, status_code=503)

    return [Route("/api/v1/deployments", answer, methods=["GET", "POST"])]


def _authorise(request: Request, token: str | None) -> None:
    if not token:
        raise _RefusedError(403, "nobody can declare a deployment here until server.token is set")
    kind, _, shown = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not hmac.compare_digest(shown.encode(), token.encode()):
        raise _RefusedError(401, "show the token of server.token: Authorization: Bearer …")


async def _body(request: Request) -> dict[str, Any]:
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MAX_BODY_BYTES:
            raise _RefusedError(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise _RefusedError(400, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise _RefusedError(400, "the body must be an object")
    return body


def _deployment(body: dict[str, Any], request: Request, declared: Declared) -> Deployment:
    asked = request.query_params
    target = asked.get("target") or body.get("target")
    if target not in declared.targets():
        listed = ", ".join(declared.targets()) or "none"
        raise _RefusedError(422, f"target {target!r:.80} is not configured; there are: {listed}")
    name = _found(body, asked["name_at"]) if "name_at" in asked else body.get("name")
    if not isinstance(name, str | int) or not str(name).strip() or len(str(name)) > _LONGEST:
        raise _RefusedError(422, f"name must be a text of 1 to {_LONGEST} characters: what the target serves now")
    detail = body.get("detail", {}) if "name_at" not in asked else {}
    if not isinstance(detail, dict):
        raise _RefusedError(422, "detail must be an object of texts")
    told = {str(key)[:_LONGEST]: str(value)[:_LONGEST] for key, value in list(detail.items())[:50]}
    by = str(asked.get("by") or body.get("by") or "api")[:_LONGEST]
    return Deployment(target=str(target), name=str(name), declared_by=by, declared_at=declared.now(), detail=told)


def _found(body: dict[str, Any], path: str) -> Any:
    try:
        return jmespath.search(path, body)
    except jmespath.exceptions.JMESPathError:
        raise _RefusedError(422, f"name_at is not a JMESPath expression: {path!r:.80}") from None


def _plain(deployment: Deployment) -> dict[str, Any]:
    return asdict(deployment) | {"declared_at": deployment.declared_at.isoformat()}
