"""What every vector store over REST is told, and what is read from its answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from monitor.adapters.http import json_request, transport
from monitor.adapters.http.json_api import JsonApi
from monitor.adapters.retrievers.vector_store.retriever import VectorStoreOptions
from monitor.errors import Reason, RetrieverError


class RestOptions(VectorStoreOptions):
    """How to reach the store. Dots in the name of a field lead into nested ones."""

    url: transport.Url = Field(repr=False)
    """Where the store answers; user and password in it become basic authentication."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Sent with every request; secrets by ``${ENV}``."""
    id: str | None = None
    """Field with the document id, where it is not the store's own id."""
    max_body_bytes: int = Field(default=json_request.MAX_BODY_BYTES, ge=1_024)
    """A longer answer is a failure (``malformed``)."""

    @property
    def asked_fields(self) -> list[str]:
        """Every field that the store is asked for."""
        return sorted({*self.fields, *filter(None, [self.id])})

    def service(self, headers: Mapping[str, str]) -> JsonApi:
        """The store, asked as these options say."""
        return JsonApi(
            self.url,
            timeout_s=self.timeout,
            connections=self.concurrency,
            headers={**headers, **self.headers},
            max_body_bytes=self.max_body_bytes,
        )

    def read_fields(self, document: Any) -> dict[str, Any]:
        """The fields of a hit."""
        return {name: find(document, name) for name in self.asked_fields}


def find(value: Any, path: str) -> Any:
    """What stands at dotted keys, a whole number as int; None where there is nothing."""
    if isinstance(value, Mapping) and path in value:
        found = value[path]
        # Stores that keep every number as a float answer 7.0 where 7 was written.
        return int(found) if isinstance(found, float) and found.is_integer() else found
    key, dot, rest = path.partition(".")
    return find(value.get(key), rest) if dot and isinstance(value, Mapping) else None


def listed(answer: Any, *keys: str) -> list[dict[str, Any]]:
    """The list of objects below the keys. Raises RetrieverError if there is none."""
    for key in keys:
        answer = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(answer, list) or not all(isinstance(each, dict) for each in answer):
        raise RetrieverError(Reason.MALFORMED, f"the answer has no list of objects at {'.'.join(keys)}")
    return answer


def wrong_dimension(said: bytes, patterns: Iterable[bytes]) -> str | None:
    """What a refusal says about dimensions, by patterns with the groups ``held`` and ``given``; None if nothing."""
    for pattern in patterns:
        if found := re.search(pattern, said):
            held, given = int(found["held"]), int(found["given"])
            return f"the index holds vectors of {held} dimensions, the embedder makes {given}"
    return None
