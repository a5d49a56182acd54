"""Embedder behind any HTTP API that takes and returns JSON, one text per request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pydantic import Field, field_validator

from monitor.adapters.embedders.embedding_matrix import to_vectors
from monitor.adapters.http import transport
from monitor.adapters.http.jmespath import JsonPath, reader
from monitor.adapters.http.json_api import JsonApi
from monitor.adapters.http.template import fill
from monitor.config.config import Duration, Section
from monitor.ports.targets import Vectors


class HttpOptions(Section):
    """Request template and the path of the vector in the response."""

    url: transport.Url = Field(repr=False)
    """URL of the embedder; a user and password in it are sent as basic authentication."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Extra headers of every request; use ``${ENV}`` for secrets."""
    request: dict[str, Any] = Field(default_factory=lambda: {"text": "{text}"})
    """JSON body with the placeholder ``{text}``. Default: ``text`` with the text."""
    vector: JsonPath = "embedding"
    """JMESPath of the list of numbers in the response."""
    timeout: Duration = 10.0
    """Time limit for each request."""
    concurrency: int = Field(default=8, ge=1, le=1_000)
    """Maximum number of concurrent requests."""

    @field_validator("request")
    @classmethod
    def _names_the_text(cls, request: dict[str, Any]) -> dict[str, Any]:
        if fill(request, text="") == fill(request, text="?"):
            raise ValueError("must contain {text}; without it every text gets the same vector")
        return request


class HttpEmbedder:
    """Sends texts to an embedder over HTTP."""

    Options = HttpOptions

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self._find_vector = reader(options.vector)
        self._slots = asyncio.Semaphore(options.concurrency)
        self._api = JsonApi(
            options.url,
            timeout_s=options.timeout,
            connections=options.concurrency,
            headers=options.headers,
        )

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row for each text."""
        return to_vectors(await asyncio.gather(*map(self._embed_one, texts)), len(texts))

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def _embed_one(self, text: str) -> Any:
        async with self._slots:
            response = await self._api.request_json("POST", body=fill(self._options.request, text=text))
        return self._find_vector(response)
