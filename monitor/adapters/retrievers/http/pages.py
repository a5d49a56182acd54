"""Hits that come a page at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import Field

from monitor.adapters.http.jmespath import JsonPath, reader
from monitor.config.config import Section

Endpoints = Callable[[dict[str, Any]], Awaitable[tuple[Any, list[Any]]]]
"""What a request brings: the answer and the hits in it."""


class Paging(Section):
    """How the next page is asked for, where one answer does not bring all hits."""

    parameter: str = Field(min_length=1)
    """What the request calls the place of the next page."""
    cursor: JsonPath | None = None
    """Where the answer says what stands there; if left out, it is the number of hits that came so far."""


async def further_hits(
    paging: Paging, request: dict[str, Any], answer: Any, hits: list[Any], k: int, ask: Endpoints
) -> None:
    """Add the hits of the pages that follow, until there are ``k``, a page is empty or no page follows."""
    find = reader(paging.cursor) if paging.cursor else None
    page, cursor = hits, None
    while page and len(hits) < k:
        before, cursor = cursor, find(answer) if find else len(hits)
        if cursor is None or cursor in ("", before):  # the last page; one that leads to itself would never end
            return
        answer, page = await ask({**request, paging.parameter: cursor})
        hits.extend(page)
