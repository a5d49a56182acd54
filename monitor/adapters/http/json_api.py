"""A service with many paths below one URL that is asked over HTTP and answers JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from monitor.adapters.http import json_request, transport
from monitor.adapters.http.json_request import PROBE_HEADER, Explain
from monitor.errors import AdapterError, RetrieverError

MAX_BODY_BYTES = 16_777_216
"""A longer answer is a failure; what is asked for here is much shorter."""


class JsonApi:
    """Asks the paths below one URL. Raises ``failure`` with a reason, and nothing else."""

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

    async def ask(
        self,
        method: str,
        path: str = "",
        body: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        explain: Explain | None = None,
    ) -> Any:
        """What the service answers, read from JSON."""
        url = self._below(path)
        return await json_request.ask(
            self._open(),
            method,
            url.copy_merge_params(params) if params else url,
            body,
            timeout_s=self._timeout_s,
            max_body_bytes=self._max_body_bytes,
            explain=explain,
            failed=self._failure,
        )

    async def fetch(self, method: str, path: str = "", body: Any = None) -> bytes:
        """The body of what the service answers, as it is."""
        return await json_request.send(
            self._open(),
            method,
            self._below(path),
            body,
            timeout_s=self._timeout_s,
            max_body_bytes=self._max_body_bytes,
            failed=self._failure,
        )

    async def close(self) -> None:
        """Give back the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _below(self, path: str) -> httpx.URL:
        """The path below the URL, whose own parameters, such as an API version, stay."""
        return self._url.copy_with(path=self._url.path.rstrip("/") + path) if path else self._url

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = transport.open_client(
                timeout_s=self._timeout_s, connections=self._connections, headers=self._headers
            )
        return self._client
