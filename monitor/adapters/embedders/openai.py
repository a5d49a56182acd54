"""Embedder behind an OpenAI-compatible API: ``POST /embeddings``."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, SecretStr, model_validator

from monitor.adapters.embedders.embedding_matrix import to_vectors
from monitor.adapters.http import transport
from monitor.adapters.http.json_api import JsonApi
from monitor.adapters.secret import read_optional
from monitor.config.config import Duration, Section
from monitor.errors import Reason, RetrieverError
from monitor.ports.targets import Vectors


class OpenAIOptions(Section):
    """Model and server of the embedder."""

    model: str
    """Name of the model on the server."""
    base_url: transport.Url = Field(default="https://api.openai.com/v1", repr=False)
    """Base URL of the API, without ``/embeddings``."""
    api_key: SecretStr | None = Field(default=None, repr=False)
    """API key, sent as a bearer token; use ``${ENV}``."""
    api_key_file: Path | None = None
    """File with the API key, instead of ``api_key``."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Extra headers of every request; use ``${ENV}`` for secrets."""
    dimensions: int | None = Field(default=None, ge=1)
    """Length of the vectors, for models that can return shorter ones."""
    prefix: str = ""
    """Prefix of each query, for models trained with one; for example ``query: ``."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Extra fields of each request, for example ``input_type: query``."""
    batch_size: int = Field(default=64, ge=1, le=2_048)
    """Maximum number of texts per request."""
    timeout: Duration = 10.0
    """Time limit for each request."""
    concurrency: int = Field(default=8, ge=1, le=1_000)
    """Maximum number of concurrent requests."""

    @model_validator(mode="after")
    def _has_at_most_one_key(self) -> OpenAIOptions:
        read_optional(self, "api_key")
        return self


class OpenAIEmbedder:
    """Requests vectors from an OpenAI-compatible server."""

    Options = OpenAIOptions

    def __init__(self, options: OpenAIOptions) -> None:
        self._options = options
        key = read_optional(options, "api_key")
        self._api = JsonApi(
            options.base_url,
            timeout_s=options.timeout,
            connections=options.concurrency,
            headers={**({"authorization": f"Bearer {key}"} if key else {}), **options.headers},
        )

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row for each text."""
        size = self._options.batch_size
        batches = [texts[start : start + size] for start in range(0, len(texts), size)]
        return np.concatenate([await self._embed_batch(batch) for batch in batches])

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def _embed_batch(self, texts: Sequence[str]) -> Vectors:
        options = self._options
        request: dict[str, Any] = {
            "model": options.model,
            "input": [options.prefix + text for text in texts],
            "encoding_format": "float",
            **options.extra,
        }
        if options.dimensions is not None:
            request["dimensions"] = options.dimensions
        response = await self._api.request_json("POST", "/embeddings", request)
        try:
            rows = [row["embedding"] for row in sorted(response["data"], key=itemgetter("index"))]
        except (LookupError, TypeError) as error:
            raise RetrieverError(Reason.MALFORMED, "the response has no list of embeddings at data") from error
        return to_vectors(rows, len(texts))
