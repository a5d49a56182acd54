"""Shared options of vector stores with a REST API, and readers of their responses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from monitor.adapters.http import json_request, transport
from monitor.adapters.http.json_api import JsonApi
from monitor.adapters.retrievers.vector_store.retriever import VectorStoreOptions, dimension_mismatch
from monitor.errors import Reason, RetrieverError


class RestOptions(VectorStoreOptions):
    """Connection to the store. Use dots in field names for nested fields."""

    url: transport.Url = Field(repr=False)
    """URL of the store; a user and password in it are sent as basic authentication."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Extra headers of every request; use ``${ENV}`` for secrets."""
    id: str | None = None
    """Field with the document id; default: the id of the record."""
    max_body_bytes: int = Field(default=json_request.MAX_BODY_BYTES, ge=1_024)
    """Maximum size of a response; a longer one is a failure (``malformed``)."""

    @property
    def requested_fields(self) -> list[str]:
        """All fields that a search requests."""
        return sorted({*self.fields, *filter(None, [self.id])})

    def open_api(self, headers: Mapping[str, str]) -> JsonApi:
        """Create a client of the store."""
        return JsonApi(
            self.url,
            timeout_s=self.timeout,
            connections=self.concurrency,
            headers={**headers, **self.headers},
            max_body_bytes=self.max_body_bytes,
        )

    def read_fields(self, document: Any) -> dict[str, Any]:
        """Read the requested fields of a hit."""
        return {name: find(document, name) for name in self.requested_fields}


def find(value: Any, path: str) -> Any:
    """Read the value at a dotted path, or None. Floats without a fraction become int."""
    if isinstance(value, Mapping) and path in value:
        field = value[path]
        # Stores that keep every number as a float return 7.0 for 7.
        return int(field) if isinstance(field, float) and field.is_integer() else field
    key, dot, rest = path.partition(".")
    return find(value.get(key), rest) if dot and isinstance(value, Mapping) else None


def read_list(response: Any, *keys: str) -> list[dict[str, Any]]:
    """Read the list of objects at nested keys. Raises RetrieverError if there is none."""
    for key in keys:
        response = response.get(key) if isinstance(response, dict) else None
    if not isinstance(response, list) or not all(isinstance(item, dict) for item in response):
        raise RetrieverError(Reason.MALFORMED, f"the response has no list of objects at {'.'.join(keys)}")
    return response


def dimension_hint(body: bytes, patterns: Iterable[bytes]) -> str | None:
    """Explain a dimension mismatch, by patterns with the groups ``index`` and ``embedder``; else None."""
    for pattern in patterns:
        if match := re.search(pattern, body):
            return dimension_mismatch(int(match["index"]), int(match["embedder"]))
    return None
