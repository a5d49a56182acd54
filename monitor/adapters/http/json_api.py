"""Client of a JSON API with many paths below one base URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from monitor.adapters.http import json_request, transport
from monitor.adapters.http.json_request import PROBE_HEADER, Explain
from monitor.errors import AdapterError, RetrieverError

MAX_BODY_BYTES = 16_777_216
"""A longer response is a failure; normal responses are much shorter."""


class JsonApi:
    """Sends requests to paths below one URL. Raises only ``failure``, with a reason."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        connections: int,
        headers: Mapping[str, str] | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        failure: type[AdapterError] = RetrieverError,
    ) -> None:
        self._url, credentials = transport.split_credentials(url)
        self._headers = {**PROBE_HEADER, **credentials, **(headers or {})}
        self._timeout_s, self._connections = timeout_s, connections
        self._max_body_bytes = max_body_bytes
        self._failure = failure
        self._client: httpx.AsyncClient | None = None

    async def request_json(
        self,
        method: str,
        path: str = "",
        body: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        explain: Explain | None = None,
    ) -> Any:
        """Send a request and return the parsed JSON response."""
        url = self._below(path)
        return await json_request.request_json(
            self._open(),
            method,
            url.copy_merge_params(params) if params else url,
            body,
            timeout_s=self._timeout_s,
            max_body_bytes=self._max_body_bytes,
            explain=explain,
            failure=self._failure,
        )

    async def request_bytes(self, method: str, path: str = "", body: Any = None) -> bytes:
        """Send a request and return the raw response body."""
        return await json_request.request_bytes(
            self._open(),
            method,
            self._below(path),
            body,
            timeout_s=self._timeout_s,
            max_body_bytes=self._max_body_bytes,
            failure=self._failure,
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _below(self, path: str) -> httpx.URL:
        """Append the path to the URL; query parameters of the URL, such as an API version, are kept."""
        return self._url.copy_with(path=self._url.path.rstrip("/") + path) if path else self._url

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = transport.open_client(
                timeout_s=self._timeout_s, connections=self._connections, headers=self._headers
            )
        return self._client
