"""Write documents into a namespace of a live target and delete the namespace, through request templates.

A list of one item that contains ``{id}``, ``{title}`` or ``{text}`` is repeated for each document of a batch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

import httpx
from pydantic import Field, model_validator

from monitor.adapters.http import json_request, transport
from monitor.config.config import Section
from monitor.errors import ConfigError, RetrieverError

Document = Mapping[str, str]
"""A document with ``id``, ``title`` and ``text``."""

_PLACEHOLDER = re.compile(r"\{(id|title|text)\}")


class SeedOptions(Section):
    """Requests that write documents."""

    url: transport.Url = Field(repr=False)
    """URL that takes documents; with ``batch: 1`` it may contain ``{id}``."""
    method: Literal["POST", "PUT"] = "POST"
    """HTTP method: ``POST`` or ``PUT``."""
    request: dict[str, Any] = Field(
        default_factory=lambda: {"documents": [{"id": "{id}", "title": "{title}", "text": "{text}"}]}
    )
    """JSON body. The namespace is part of it or of ``url``. A list of one item that contains ``{id}``, ``{title}`` or
    ``{text}`` is repeated for each document."""
    batch: int = Field(default=100, ge=1, le=10_000)
    """Documents per request; 1 if the target takes no list."""

    @model_validator(mode="after")
    def _takes_a_batch(self) -> SeedOptions:
        if not _has_placeholder(self.request):
            raise ValueError("request must contain {id}, {title} or {text}; without them no document is sent")
        if self.batch > 1 and not _has_list(self.request):
            raise ValueError("request has no list to repeat for each document; add one, or set batch: 1")
        return self


class UnseedOptions(Section):
    """Request that deletes the namespace."""

    url: transport.Url = Field(repr=False)
    """URL that deletes this namespace and nothing else."""
    method: Literal["DELETE", "POST"] = "DELETE"
    """HTTP method: ``DELETE`` or ``POST``."""
    request: dict[str, Any] = Field(default_factory=dict)
    """JSON body; none by default."""


def require_both(seed: SeedOptions | None, unseed: UnseedOptions | None) -> tuple[SeedOptions, UnseedOptions]:
    """Return both options. Raises ConfigError if one is missing: documents are written only if they can be deleted."""
    if seed is None or unseed is None:
        missing_key = "seed" if seed is None else "unseed"
        raise ConfigError(missing_key, "is missing; `recallwatch suite seed` needs both seed and unseed")
    return seed, unseed


async def write(seed: SeedOptions, documents: Sequence[Document], client: httpx.AsyncClient, timeout_s: float) -> None:
    """Send all documents in batches. Raises RetrieverError with the number of documents already written."""
    for n_written in range(0, len(documents), seed.batch):
        batch = documents[n_written : n_written + seed.batch]
        url = seed.url.replace("{id}", quote(batch[0]["id"], safe=""))
        try:
            await _send(client, seed.method, url, _fill(seed.request, batch), timeout_s)
        except RetrieverError as error:
            detail = f"{error.detail}; {n_written:,} of {len(documents):,} documents were written before"
            raise RetrieverError(error.reason, detail) from error


async def remove(unseed: UnseedOptions, client: httpx.AsyncClient, timeout_s: float) -> None:
    """Delete the namespace."""
    await _send(client, unseed.method, unseed.url, unseed.request or None, timeout_s)


async def _send(client: httpx.AsyncClient, method: str, url: str, body: Any, timeout_s: float) -> None:
    address, credentials = transport.split_credentials(url)
    await json_request.request_bytes(client, method, address, body, timeout_s=timeout_s, headers=credentials)


def _fill(value: Any, batch: Sequence[Document]) -> Any:
    if isinstance(value, dict):
        return {key: _fill(each, batch) for key, each in value.items()}
    if isinstance(value, list):
        if _is_repeated(value):
            return [_fill(value[0], [document]) for document in batch]
        return [_fill(each, batch) for each in value]
    return _PLACEHOLDER.sub(lambda match: batch[0][match[1]], value) if isinstance(value, str) else value


def _has_placeholder(value: Any) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_has_placeholder, parts)) or (isinstance(value, str) and bool(_PLACEHOLDER.search(value)))


def _is_repeated(value: list[Any]) -> bool:
    return len(value) == 1 and _has_placeholder(value[0])


def _has_list(value: Any) -> bool:
    if isinstance(value, list):
        return _is_repeated(value) or any(map(_has_list, value))
    return isinstance(value, dict) and any(map(_has_list, value.values()))
