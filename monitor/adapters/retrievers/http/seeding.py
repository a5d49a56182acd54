"""Writing documents into a namespace of a live target, and taking the namespace away, by request templates.

A list of one item that names ``{id}``, ``{title}`` or ``{text}`` is repeated for each document of a batch.
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
"""With ``id``, ``title`` and ``text``."""

_PLACEHOLDER = re.compile(r"\{(id|title|text)\}")


class SeedOptions(Section):
    """How documents are written."""

    url: transport.Url = Field(repr=False)
    """Where documents are written to; with ``batch: 1`` it may name ``{id}``."""
    method: Literal["POST", "PUT"] = "POST"
    """How they are sent: ``POST`` or ``PUT``."""
    request: dict[str, Any] = Field(
        default_factory=lambda: {"documents": [{"id": "{id}", "title": "{title}", "text": "{text}"}]}
    )
    """JSON body. Name the namespace in it, or in ``url``. A list of one item with ``{id}``, ``{title}`` or ``{text}``
    in it is repeated for each document."""
    batch: int = Field(default=100, ge=1, le=10_000)
    """Documents in one request; 1 where the target takes no list."""

    @model_validator(mode="after")
    def _can_hold_a_batch(self) -> SeedOptions:
        if not _names_a_document(self.request):
            raise ValueError("request names none of {id}, {title} and {text}: no document would be sent")
        if self.batch > 1 and not _has_list(self.request):
            raise ValueError("request has no list to repeat for each document; write one, or set batch: 1")
        return self


class UnseedOptions(Section):
    """How a namespace is removed."""

    url: transport.Url = Field(repr=False)
    """What removes the namespace, and nothing else."""
    method: Literal["DELETE", "POST"] = "DELETE"
    """How it is asked: ``DELETE`` or ``POST``."""
    request: dict[str, Any] = Field(default_factory=dict)
    """JSON body; none is sent if it is left out."""


def prepared(seed: SeedOptions | None, unseed: UnseedOptions | None) -> tuple[SeedOptions, UnseedOptions]:
    """Both, once it is known how to write and how to take away again what was written. Raises ConfigError if not."""
    if seed is None or unseed is None:
        missing = "seed" if seed is None else "unseed"
        raise ConfigError(missing, "is missing; `recallwatch suite seed` needs both seed and unseed")
    return seed, unseed


async def write(seed: SeedOptions, documents: Sequence[Document], client: httpx.AsyncClient, timeout_s: float) -> None:
    """Send every document, a batch at a time. Raises RetrieverError saying how many arrived before."""
    for arrived in range(0, len(documents), seed.batch):
        batch = documents[arrived : arrived + seed.batch]
        url = seed.url.replace("{id}", quote(batch[0]["id"], safe=""))
        try:
            await _send(client, seed.method, url, _fill(seed.request, batch), timeout_s)
        except RetrieverError as error:
            told = f"{error.detail}; {arrived:,} of {len(documents):,} documents were written before"
            raise RetrieverError(error.reason, told) from error


async def remove(unseed: UnseedOptions, client: httpx.AsyncClient, timeout_s: float) -> None:
    """Ask for the namespace to be removed."""
    await _send(client, unseed.method, unseed.url, unseed.request or None, timeout_s)


async def _send(client: httpx.AsyncClient, method: str, url: str, body: Any, timeout_s: float) -> None:
    address, credentials = transport.split_credentials(url)
    await json_request.send(client, method, address, body, timeout_s=timeout_s, headers=credentials)


def _fill(value: Any, batch: Sequence[Document]) -> Any:
    if isinstance(value, dict):
        return {key: _fill(each, batch) for key, each in value.items()}
    if isinstance(value, list):
        if _is_repeated(value):
            return [_fill(value[0], [document]) for document in batch]
        return [_fill(each, batch) for each in value]
    return _PLACEHOLDER.sub(lambda found: batch[0][found[1]], value) if isinstance(value, str) else value


def _names_a_document(value: Any) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_names_a_document, parts)) or (isinstance(value, str) and bool(_PLACEHOLDER.search(value)))


def _is_repeated(value: list[Any]) -> bool:
    return len(value) == 1 and _names_a_document(value[0])


def _has_list(value: Any) -> bool:
    if isinstance(value, list):
        return _is_repeated(value) or any(map(_has_list, value))
    return isinstance(value, dict) and any(map(_has_list, value.values()))
