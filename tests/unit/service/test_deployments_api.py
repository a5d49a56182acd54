"""Declaring a deployment over HTTP: authorisation, refusals, and webhooks of other tools."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from monitor.adapters.exporters.prometheus import Metrics
from monitor.model.deployments import Deployment
from monitor.service.api.app import create_app
from monitor.service.api.deployments import MAX_BODY_BYTES, DeploymentsBackend
from monitor.service.readiness import Readiness

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TOKEN = "a-token"
SHOWN = {"authorization": f"Bearer {TOKEN}"}


def ask(
    method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, token: str | None = TOKEN
) -> tuple[httpx.Response, list[Deployment]]:
    """The response to one request, and the deployments that it declared."""
    declared: list[Deployment] = []

    async def keep(deployment: Deployment) -> None:
        declared.append(deployment)

    async def list_deployments(target: str | None) -> list[Deployment]:
        return [Deployment(target=target or "docs", name="march", declared_by="ada", declared_at=NOW)]

    backend = DeploymentsBackend(
        targets=lambda: ("docs", "shop"),
        token=lambda: token,
        declare=keep,
        list_deployments=list_deployments,
        now=lambda: NOW,
    )
    app = create_app(Metrics(), Readiness(), backend)

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            content = {"content": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
            return await client.request(method, path, headers=SHOWN if headers is None else headers, **content)

    return asyncio.run(send()), declared


def test_a_deployment_is_declared():
    """The deployment is stored with the time of the server, and returned."""
    body = {"target": "docs", "name": "v7", "by": "ci", "detail": {"commit": "4f2c", "build": 12}}
    response, declared = ask("POST", "/api/v1/deployments", body)
    assert response.status_code == 201
    assert declared == [
        Deployment(
            target="docs", name="v7", declared_by="ci", declared_at=NOW, detail={"commit": "4f2c", "build": "12"}
        )
    ]
    assert response.json()["name"] == "v7"


def test_a_webhook_of_another_tool_is_understood():
    """The target is in the address, and JMESPath finds the name in the body."""
    body = {"object": {"spec": {"containers": [{"image": "registry/embedder:2.1"}]}}, "name": "ignored"}
    path = "/api/v1/deployments?target=shop&by=kubernetes&name_at=object.spec.containers[0].image"
    _, declared = ask("POST", path, body)
    assert declared == [
        Deployment(target="shop", name="registry/embedder:2.1", declared_by="kubernetes", declared_at=NOW)
    ]


def test_declared_deployments_are_listed():
    """GET returns declared deployments, of one target or of all."""
    response, _ = ask("GET", "/api/v1/deployments?target=shop")
    assert response.json()["deployments"][0]["target"] == "shop"


@pytest.mark.parametrize(
    ("path", "body", "status", "problem"),
    [
        ("", {"target": "nowhere", "name": "v7"}, 422, 'unknown target "nowhere"; known targets: docs, shop'),
        ("", {"target": "docs"}, 422, "name must be a text"),
        ("", {"target": "docs", "name": " "}, 422, "name must be a text"),
        ("", {"target": "docs", "name": "x" * 201}, 422, "name must be a text"),
        ("", {"target": "docs", "name": "v7", "detail": []}, 422, "detail must be an object"),
        ("", [], 400, "the body must be an object"),
        ("", b"{", 400, "the body is not JSON"),
        ("", b" " * (MAX_BODY_BYTES + 1), 413, "the body is larger than"),
        ("?target=docs&name_at=[", {"a": 1}, 422, "name_at must be a path of keys and indexes"),
        ("?target=docs&name_at=" + "[*]" * 58, {"a": 1}, 422, "name_at must be a path of keys and indexes"),
        ("?target=docs&name_at=" + "a." * 150 + "a", {"a": 1}, 422, "of at most 200 characters"),
        ("?target=docs&name_at=nowhere", {"a": 1}, 422, "name must be a text"),
    ],
)
def test_what_makes_no_sense_is_refused(path: str, body: Any, status: int, problem: str):
    """Each mistake has its own message, and nothing is stored."""
    response, declared = ask("POST", f"/api/v1/deployments{path}", body)
    assert (response.status_code, declared) == (status, [])
    assert problem in response.json()["problem"]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}])
def test_without_the_token_nothing_is_declared(headers: dict[str, str]):
    """A request without the token declares nothing, and the response does not contain the token."""
    response, declared = ask("POST", "/api/v1/deployments", {"target": "docs", "name": "v7"}, headers=headers)
    assert (response.status_code, declared) == (401, [])
    assert TOKEN not in response.text


def test_without_a_configured_token_no_request_can_declare():
    """Without server.token the API accepts no deployment."""
    response, declared = ask("POST", "/api/v1/deployments", {"target": "docs", "name": "v7"}, token=None)
    assert (response.status_code, declared) == (403, [])
    assert "server.token" in response.json()["problem"]
