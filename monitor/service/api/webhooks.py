"""`POST /api/v1/webhooks/NAME`: a webhook of another tool declares a deployment, without a token in its address."""

from __future__ import annotations

import re
from typing import Any

import jmespath
import orjson
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from monitor.config.access import WebhookOptions
from monitor.config.config import read_secret
from monitor.model.deployments import Deployment
from monitor.service.api.backend import Backend
from monitor.service.api.problems import RefusedError
from monitor.service.api.webhook_kinds import KINDS, SIGNED_BODY, Declared

_LOG = structlog.get_logger(__name__)
_LONGEST = 200
_SIMPLE_PATH = re.compile(r'(?:[A-Za-z_]\w*|"[^"\\]+")(?:\[-?\d{1,4}\]|\.(?:[A-Za-z_]\w*|"[^"\\]+"))*', re.ASCII)
"""Other expressions, such as nested projections, can take minutes."""


async def receive(request: Request) -> Response:
    """Check the signature, and declare the deployment that the body names; other events change nothing."""
    backend: Backend = request.app.state.backend
    name = request.path_params["name"]
    backend.guard.refuse_guessing(request)
    options = backend.checked().config.server.webhooks.get(name)
    body = await request.body()
    headers = {key.lower(): value for key, value in request.headers.items()}
    if options is None or not _is_genuine(options, headers, body, backend.now().timestamp()):
        backend.guard.count_failure(request)
        _LOG.warning("webhook_refused", webhook=name[:80])
        raise RefusedError(401, "the webhook is unknown, or its signature is wrong")
    declared = _read(options, headers, body)
    if declared is None:
        return JSONResponse({"declared": None}, status_code=200)
    deployment = Deployment(
        target=options.target,
        name=_storable(declared.name),
        declared_by=f"webhook {name}",
        declared_at=backend.now(),
        detail={key: _storable(value) for key, value in declared.detail.items()},
    )
    await backend.store().save_deployment(deployment)
    return JSONResponse({"declared": deployment.name, "target": deployment.target}, status_code=201)


def _is_genuine(options: WebhookOptions, headers: dict[str, str], body: bytes, now: float) -> bool:
    secret = read_secret(options.secret, options.secret_file, where="server.webhooks") or ""
    check = SIGNED_BODY if options.kind == "hmac" else KINDS[options.kind].is_genuine
    return bool(secret) and check(secret, headers, body, now)


def _read(options: WebhookOptions, headers: dict[str, str], body: bytes) -> Declared | None:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RefusedError(400, "the body is not JSON") from None
    if not isinstance(content, dict):
        raise RefusedError(400, "the body must be an object")
    if options.name_at is None:
        return KINDS[options.kind].read(headers, content)
    name = _search(content, options.name_at)
    if not isinstance(name, str | int) or not str(name).strip():
        raise RefusedError(422, f"the body has no name at {options.name_at}")
    return Declared(str(name), {})


def _search(content: dict[str, Any], path: str) -> Any:
    if len(path) > _LONGEST or not _SIMPLE_PATH.fullmatch(path):
        raise RefusedError(422, "name_at must be a path of keys and indexes, such as data.images[0].tag")
    return jmespath.search(path, content)


def _storable(text: str) -> str:
    """Text that PostgreSQL stores, of a bounded length."""
    printable = "".join(each if each >= " " and each != "\x7f" else " " for each in text)
    return printable.encode("utf-8", "replace").decode()[:_LONGEST]
