"""What every operation of the API goes through.

1. Admit the caller: authentication, scope, rate limits.
2. A write with an ``Idempotency-Key`` that was sent before gets the first response again.
3. Handle the request.
4. A read gets an ``ETag``, and 304 if the caller already has that version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from monitor.model.access import Caller, Scope
from monitor.ports.ledger import RememberedResponse
from monitor.service.api.problems import RefusedError, documented

_SCOPE = "x-required-scope"
_LONGEST_KEY = 200
Handle = Callable[[Request], Awaitable[Response]]


def needs(scope: Scope, *refusals: int) -> dict[str, Any]:
    """Arguments of an operation: the scope that it needs, and how it can be refused."""
    statuses = (400, 401, 403, 404, 409, 413, 422, 429, 502, 503, *refusals)
    return {"openapi_extra": {_SCOPE: str(scope)}, "responses": documented(*sorted(set(statuses)))}


class ApiRoute(APIRoute):
    """A route of the API."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """The handler behind admission, idempotency and ETags."""
        handle = super().get_route_handler()
        scope = Scope((self.openapi_extra or {})[_SCOPE])

        async def admitted(request: Request) -> Response:
            caller: Caller = await request.app.state.backend.guard.admit(request, scope)
            request.state.caller = caller
            if request.method == "GET":
                return _with_etag(request, await handle(request))
            return await _once(request, caller, handle)

        return admitted


async def _once(request: Request, caller: Caller, handle: Handle) -> Response:
    """Handle a write once for each key, however often it is sent."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return await handle(request)
    if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
        raise RefusedError(422, f"Idempotency-Key must have 1 to {_LONGEST_KEY} printable characters")
    backend = request.app.state.backend
    store = backend.store()
    digest = _digest(request.method.encode(), str(request.url.path).encode(), await request.body())
    earlier: RememberedResponse | None = await store.claim_key(caller.name, key, digest, backend.now())
    if earlier is not None:
        return _again(earlier, digest)
    try:
        response = await handle(request)
    except BaseException:
        await store.release_key(caller.name, key)
        raise
    headers = {name: value for name, value in response.headers.items() if name in ("location", "content-type")}
    content = bytes(response.body).decode()
    await store.remember_response(caller.name, key, RememberedResponse(digest, response.status_code, headers, content))
    return response


def _again(earlier: RememberedResponse, digest: str) -> Response:
    if earlier.request_digest != digest:
        raise RefusedError(422, "this Idempotency-Key was sent before with another request")
    if earlier.status is None:
        raise RefusedError(409, "the first request with this Idempotency-Key still runs")
    headers = {**earlier.headers, "idempotency-replayed": "true"}
    return Response(earlier.body, status_code=earlier.status, headers=headers)


def _with_etag(request: Request, response: Response) -> Response:
    if response.status_code != 200:
        return response
    etag = f'"{_digest(bytes(response.body))[:32]}"'
    response.headers["etag"] = etag
    response.headers["cache-control"] = "private, no-cache"
    etags = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if etag in etags:
        return Response(status_code=304, headers={"etag": etag, "cache-control": "private, no-cache"})
    return response


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
