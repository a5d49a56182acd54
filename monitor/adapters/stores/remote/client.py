"""Requests to the HTTP API of a daemon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from monitor.adapters.http.json_api import JsonApi
from monitor.adapters.http.transport import check_url
from monitor.errors import AdapterError, ConfigError, Reason, StoreError

PAGE = 500
"""Rows that are requested at once; the most that the API returns."""
_MAX_BODY_BYTES = 256 * 1024 * 1024
_TIMEOUT_S = 120.0


class RefusedError(StoreError):
    """The daemon refused a request, with a status and its reason."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class ApiClient:
    """Sends requests below ``/api/v1`` of one daemon. Raises only StoreError, with the reason that the daemon gives."""

    def __init__(self, server: str, token: str) -> None:
        try:
            check_url(server)
        except ValueError as error:
            raise ConfigError("--server", f"{server!r} {error}") from None
        self.server = server.rstrip("/")
        self._api = JsonApi(
            f"{self.server}/api/v1",
            timeout_s=_TIMEOUT_S,
            connections=4,
            headers={"authorization": f"Bearer {token}"} if token else {},
            max_body_bytes=_MAX_BODY_BYTES,
            failure=AdapterError,
        )

    async def get(self, *path: str, **params: Any) -> Any:
        """One answer; a parameter of None is left out."""
        query = {key: value for key, value in params.items() if value is not None}
        return await self._send("GET", path, None, query)

    async def post(self, *path: str, body: Mapping[str, Any]) -> Any:
        """The answer to a write."""
        return await self._send("POST", path, body, {})

    async def items(self, *path: str, limit: int | None = None, **params: Any) -> list[Any]:
        """The rows of a list, page after page; all of them without a limit."""
        rows: list[Any] = []
        cursor = None
        while limit is None or len(rows) < limit:
            size = PAGE if limit is None else min(PAGE, limit - len(rows))
            page = await self.get(*path, limit=size, cursor=cursor, **params)
            rows += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        return rows

    async def items_at_once(self, *path: str) -> list[Any]:
        """The rows of a list that has one page."""
        rows: list[Any] = (await self.get(*path))["items"]
        return rows

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def _send(self, method: str, path: tuple[str, ...], body: Any, params: Mapping[str, Any]) -> Any:
        problems: list[tuple[int, str]] = []

        def explain(status: int, content: bytes) -> str | None:
            detail = _detail(content)
            problems.append((status, detail or f"HTTP {status} without a problem document; is this recallwatch?"))
            return detail

        place = "".join(f"/{quote(part, safe='')}" for part in path)
        try:
            return await self._api.request_json(method, place, body, params=params, explain=explain)
        except AdapterError as error:
            if not problems:
                raise StoreError(f"{self.server}: {error.detail}") from error
            status, detail = problems[0]
            if error.reason is Reason.UNAUTHORISED:
                remedy = "set RECALLWATCH_TOKEN, or give --token-file"
                raise RefusedError(status, f"{self.server}: {detail}; {remedy}") from error
            raise RefusedError(status, detail) from error


def _detail(content: bytes) -> str | None:
    """The detail of a problem document."""
    try:
        problem = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    detail = problem.get("detail") if isinstance(problem, dict) else None
    return detail if isinstance(detail, str) else None
