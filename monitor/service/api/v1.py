"""The API under ``/api/v1``: its operations, its errors and its OpenAPI document."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import Route

from monitor.service.api import (
    audit,
    baselines,
    comparisons,
    configuration,
    deployments,
    gates,
    incidents,
    lookups,
    problems,
    runs,
    silences,
    webhooks,
)
from monitor.service.api.backend import Backend

VERSION = "1"
ROUTERS = (
    configuration.router,
    runs.router,
    comparisons.router,
    baselines.router,
    deployments.router,
    incidents.router,
    silences.router,
    gates.router,
    audit.router,
    lookups.router,
)


def create_api(backend: Backend) -> FastAPI:
    """The API as an application of its own, mounted at ``/api/v1``."""
    api = FastAPI(
        title="recallwatch",
        version=VERSION,
        openapi_url="/openapi.json",
        docs_url=None,  # a page of scripts from another origin
        redoc_url=None,
        redirect_slashes=False,
    )
    api.state.backend = backend
    for router in ROUTERS:
        api.include_router(router)
    # Beside the document: each kind has the body of its tool.
    api.router.routes.append(Route("/webhooks/{name}", webhooks.receive, methods=["POST"]))
    problems.add_handlers(api)
    setattr(api, "openapi", lambda: document(api))  # noqa: B010 - as FastAPI documents it
    return api


def document(api: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with its bearer tokens and problems."""
    if api.openapi_schema is None:
        schema = get_openapi(
            title=api.title,
            version=api.version,
            description="Runs, verdicts, baselines, deployments, incidents and gates of recallwatch.",
            routes=api.routes,
            servers=[{"url": "/api/v1"}],
        )
        components = schema.setdefault("components", {})
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        components.setdefault("schemas", {})["Problem"] = problems.Problem.model_json_schema()
        schema["security"] = [{"token": []}]
        _repair_tuples(schema)
        api.openapi_schema = schema
    return api.openapi_schema


def _repair_tuples(schema: Any) -> None:
    """Write the items of tuples as ``prefixItems``: the framework writes a list as ``items``, as before OpenAPI 3.1."""
    if isinstance(schema, dict) and isinstance(schema.get("items"), list):
        schema["prefixItems"] = schema.pop("items")
    if isinstance(schema, dict | list):
        for part in schema.values() if isinstance(schema, dict) else schema:
            _repair_tuples(part)
