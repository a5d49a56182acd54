"""Errors of the API as problem details (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from monitor.errors import (
    BudgetError,
    ComparisonError,
    ConfigError,
    MonitorError,
    NotStoredError,
    StoreError,
    SuiteError,
)

MEDIA_TYPE = "application/problem+json"
_LONGEST = 2_000


class Problem(BaseModel):
    """Why a request was refused."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class RefusedError(Exception):
    """A request that is refused, with its status."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers or {}


def problem_response(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The response to a refused request."""
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail[:_LONGEST])
    return JSONResponse(problem.model_dump(), status_code=status, headers=headers, media_type=MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of an operation, as OpenAPI describes them."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def add_handlers(app: FastAPI) -> None:
    """Answer every error of the API with a problem; no message of a library reaches a caller."""

    async def refused(request: Request, error: Exception) -> Response:
        if isinstance(error, RefusedError):
            return problem_response(error.status, str(error), error.headers)
        if isinstance(error, RequestValidationError):
            return problem_response(422, _validation(error))
        if isinstance(error, HTTPException) and error.status_code == 405:
            return problem_response(405, "Method Not Allowed", {"allow": _methods(app, request)})
        if isinstance(error, HTTPException):
            return problem_response(error.status_code, str(error.detail), dict(error.headers or {}))
        return problem_response(_status_of(error), str(error))

    for kind in (RefusedError, RequestValidationError, HTTPException, MonitorError):
        app.add_exception_handler(kind, refused)


def _methods(app: FastAPI, request: Request) -> str:
    """The methods of every route with this path; the framework names those of the first alone."""
    methods: set[str] = set()
    for route in app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return ", ".join(sorted(methods))


def _status_of(error: Exception) -> int:
    if isinstance(error, ConfigError | SuiteError):
        return 422
    if isinstance(error, ComparisonError):
        return 409
    if isinstance(error, BudgetError):
        return 429
    if isinstance(error, NotStoredError):
        return 404
    if isinstance(error, StoreError):
        return 404 if str(error).startswith(("no ", "unknown ")) else 503
    return 502


def _validation(error: RequestValidationError) -> str:
    parts = []
    for mistake in error.errors()[:5]:
        place = ".".join(str(part) for part in mistake["loc"] if part != "body")
        parts.append(f"{place}: {mistake['msg']}" if place else str(mistake["msg"]))
    return "; ".join(parts)
