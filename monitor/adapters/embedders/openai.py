"""An embedder behind the API that OpenAI published and many servers speak: ``POST /embeddings``."""

from __future__ import annotations

from collections.abc import Sequence
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
    """Which model embeds, and where."""

    model: str
    """The model's name at the server."""
    base_url: transport.Url = Field(default="https://api.openai.com/v1", repr=False)
    """Where the API answers, without ``/embeddings``."""
    api_key: SecretStr | None = Field(default=None, repr=False)
    """Sent as bearer token; by ``${ENV}``."""
    api_key_file: Path | None = None
    """A file with the key, instead of ``api_key``."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Sent with every request; secrets by ``${ENV}``."""
    dimensions: int | None = Field(default=None, ge=1)
    """Shorter vectors than the model's own, where it can make them."""
    prefix: str = ""
    """Put before each query, where the model was trained so; ``query: `` for example."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Sent besides in each request; ``input_type: query`` for example."""
    batch_size: int = Field(default=64, ge=1, le=2_048)
    """Texts in one request."""
    timeout: Duration = 10.0
    """For each request."""
    concurrency: int = Field(default=8, ge=1, le=1_000)
    """Requests under way at once."""

    @model_validator(mode="after")
    def _has_at_most_one_key(self) -> OpenAIOptions:
        read_optional(self, "api_key")
        return self


class OpenAIEmbedder:
    """Asks an OpenAI-compatible server for vectors."""

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
        """One row for each text."""
        size = self._options.batch_size
        batches = [texts[start : start + size] for start in range(0, len(texts), size)]
        return np.concatenate([await self._embed_batch(batch) for batch in batches])

    async def close(self) -> None:
        """Give back the connections."""
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
        answer = await self._api.ask("POST", "/embeddings", request)
        try:
            rows = [each["embedding"] for each in sorted(answer["data"], key=lambda each: each["index"])]
        except (LookupError, TypeError) as error:
            raise RetrieverError(Reason.MALFORMED, "the answer has no list of embeddings at data") from error
        return to_vectors(rows, len(texts))
