"""Read further pages of hits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import Field

from monitor.adapters.http.jmespath import JsonPath, reader
from monitor.config.config import Section

FetchPage = Callable[[dict[str, Any]], Awaitable[tuple[Any, list[Any]]]]
"""Sends a request and returns the response and its hits."""


class Paging(Section):
    """How to request the next page, for APIs that return hits in pages."""

    parameter: str = Field(min_length=1)
    """Request field that takes the cursor or offset of the next page."""
    cursor: JsonPath | None = None
    """JMESPath of the next cursor in the response; without it, the offset is the number of hits received so far."""


async def further_hits(
    paging: Paging, request: dict[str, Any], response: Any, hits: list[Any], k: int, fetch: FetchPage
) -> None:
    """Append the hits of further pages, until there are ``k`` hits, a page is empty or there is no next page."""
    find = reader(paging.cursor) if paging.cursor else None
    page, cursor = hits, None
    while page and len(hits) < k:
        previous, cursor = cursor, find(response.body) if find else len(hits)
        if cursor is None or cursor in ("", previous):  # the last page, or a cursor that repeats and would never end
            return
        response, page = await fetch({**request, paging.parameter: cursor})
        hits.extend(page)
