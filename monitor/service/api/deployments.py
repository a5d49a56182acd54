"""Declaring deployments: `POST /api/v1/deployments`, from people, pipelines and webhooks of other tools."""

from __future__ import annotations

import hmac
import re
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
_SIMPLE_PATH = re.compile(r'(?:[A-Za-z_]\w*|"[^"\\]+")(?:\[-?\d{1,4}\]|\.(?:[A-Za-z_]\w*|"[^"\\]+"))*', re.ASCII)
"""Other expressions, such as nested projections, can take minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentsBackend:
    """The targets, the token and the store behind the API of deployments."""

    targets: Callable[[], Collection[str]]
    token: Callable[[], str | None]
    declare: Callable[[Deployment], Awaitable[None]]
    list_deployments: Callable[[str | None], Awaitable[list[Deployment]]]
    now: Callable[[], datetime]


class _RefusedError(Exception):
    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


def routes(backend: DeploymentsBackend) -> list[Route]:
    """``GET`` lists declared deployments, newest first; ``POST`` declares one, and its target is probed at once.

    The body is ``{"target", "name", "by", "detail"}``. For a webhook of another tool with a different body,
    ``?target=`` names the target, and ``?name_at=`` is the JMESPath of the name in the body.
    """

    async def declare(request: Request) -> Response:
        deployment = _deployment(await _body(request), request, backend)
        await backend.declare(deployment)
        return JSONResponse(_plain(deployment), status_code=201)

    async def list_declared(request: Request) -> Response:
        deployments = await backend.list_deployments(request.query_params.get("target"))
        return JSONResponse({"deployments": [_plain(deployment) for deployment in deployments]})

    async def answer(request: Request) -> Response:
        try:
            _authorise(request, backend.token())
            return await (declare if request.method == "POST" else list_declared)(request)
        except _RefusedError as refused:
            return JSONResponse({"problem": str(refused)}, status_code=refused.status)
        except StoreError as error:
            return JSONResponse({"problem": str(error)}, status_code=503)

    return [Route("/api/v1/deployments", answer, methods=["GET", "POST"])]


def _authorise(request: Request, token: str | None) -> None:
    if not token:
        raise _RefusedError(403, "deployments cannot be declared here until server.token is set")
    kind, _, credentials = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not hmac.compare_digest(credentials.encode(), token.encode()):
        raise _RefusedError(401, "send the token of server.token as Authorization: Bearer …")


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


def _deployment(body: dict[str, Any], request: Request, backend: DeploymentsBackend) -> Deployment:
    parameters = request.query_params
    target = parameters.get("target") or body.get("target")
    if target not in backend.targets():
        names = ", ".join(backend.targets()) or "none"
        raise _RefusedError(422, f'unknown target "{target!s:.80}"; known targets: {names}')
    name = _search(body, parameters["name_at"]) if "name_at" in parameters else body.get("name")
    if not isinstance(name, str | int) or not str(name).strip() or len(str(name)) > _LONGEST:
        raise _RefusedError(
            422, f"name must be a text of 1 to {_LONGEST} characters: the deployment that the target serves now"
        )
    detail = body.get("detail", {}) if "name_at" not in parameters else {}
    if not isinstance(detail, dict):
        raise _RefusedError(422, "detail must be an object of texts")
    details = {str(key)[:_LONGEST]: str(value)[:_LONGEST] for key, value in list(detail.items())[:50]}
    by = str(parameters.get("by") or body.get("by") or "api")[:_LONGEST]
    return Deployment(target=str(target), name=str(name), declared_by=by, declared_at=backend.now(), detail=details)


def _search(body: dict[str, Any], path: str) -> Any:
    if len(path) > _LONGEST or not _SIMPLE_PATH.fullmatch(path):
        problem = 'must be a path of keys and indexes, such as data.images[0]."app.kubernetes.io/version"'
        raise _RefusedError(422, f"name_at {problem}, of at most {_LONGEST} characters: {path!r:.80}")
    try:
        return jmespath.search(path, body)
    except jmespath.exceptions.JMESPathError:
        raise _RefusedError(422, f"name_at is not a JMESPath expression: {path!r:.80}") from None


def _plain(deployment: Deployment) -> dict[str, Any]:
    return asdict(deployment) | {"declared_at": deployment.declared_at.isoformat()}
