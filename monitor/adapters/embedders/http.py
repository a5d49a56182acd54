"""An embedder behind any HTTP API: a request template out, JMESPath in. One text a request."""

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
    """How to ask, and where the answer holds the vector."""

    url: transport.Url = Field(repr=False)
    """Where the embedder answers; user and password in it become basic authentication."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Sent with every request; secrets by ``${ENV}``."""
    request: dict[str, Any] = Field(default_factory=lambda: {"text": "{text}"})
    """JSON body; ``{text}`` is filled in. Left out, it is sent as ``text``."""
    vector: JsonPath = "embedding"
    """Where the answer holds the list of numbers, as JMESPath."""
    timeout: Duration = 10.0
    """For each request."""
    concurrency: int = Field(default=8, ge=1, le=1_000)
    """Requests under way at once."""

    @field_validator("request")
    @classmethod
    def _names_the_text(cls, request: dict[str, Any]) -> dict[str, Any]:
        if fill(request, text="") == fill(request, text="?"):
            raise ValueError("names no {text}: every text would be embedded alike")
        return request


class HttpEmbedder:
    """Asks an embedder over HTTP."""

    Options = HttpOptions

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self._find_vector = reader(options.vector)
        self._turns = asyncio.Semaphore(options.concurrency)
        self._api = JsonApi(
            options.url,
            timeout_s=options.timeout,
            connections=options.concurrency,
            headers=options.headers,
        )

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """One row for each text."""
        return to_vectors(await asyncio.gather(*map(self._embed_one, texts)), len(texts))

    async def close(self) -> None:
        """Give back the connections."""
        await self._api.close()

    async def _embed_one(self, text: str) -> Any:
        async with self._turns:
            answer = await self._api.ask("POST", body=fill(self._options.request, text=text))
        return self._find_vector(answer)
