"""Pages of lists that are newest first: a cursor names the final row of the page before."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel

from monitor.service.api.problems import RefusedError

T = TypeVar("T")
_SLACK = 50
_MAX_ROWS = 10_000

Limit = Annotated[int, Query(ge=1, le=500, description="Rows in a page.")]
Cursor = Annotated[
    str | None, Query(max_length=400, pattern=r"^[A-Za-z0-9_=-]*$", description="The `next` of the page before.")
]


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = None
    """The cursor of the next page; null on the final page."""


async def page_of(
    fetch: Callable[[int], Awaitable[Sequence[T]]], name: Callable[[T], str], limit: int, cursor: str | None
) -> tuple[list[T], str | None]:
    """One page, and the cursor of the next. Rows that are added meanwhile move no row to another page.

    ``fetch`` returns so many of the newest rows. The cursor holds the name and depth of the final row, so that
    one fetch usually finds it.
    """
    after, depth = _decoded(cursor) if cursor else ("", 0)
    n_rows = depth + limit + 1 + (_SLACK if after else 0)
    while True:
        rows = list(await fetch(min(n_rows, _MAX_ROWS)))
        start = _place(rows, after, name)
        is_whole = len(rows) < n_rows or n_rows >= _MAX_ROWS
        if start is not None and (len(rows) > start + limit or is_whole):
            break
        if is_whole:
            raise RefusedError(404, "the cursor is unknown; begin without one")
        n_rows *= 2
    items = rows[start : start + limit]
    is_cut = len(rows) >= _MAX_ROWS
    if is_cut and not items:
        raise RefusedError(404, f"pages end after {_MAX_ROWS:,} rows; ask for fewer, such as those of one target")
    if len(rows) <= start + limit and not is_cut:
        return items, None
    return items, _encoded(name(items[-1]), start + limit)


def _place(rows: Sequence[T], after: str, name: Callable[[T], str]) -> int | None:
    if not after:
        return 0
    return next((place + 1 for place, row in enumerate(rows) if name(row) == after), None)


def _encoded(after: str, depth: int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([after, depth])).decode()


def _decoded(cursor: str) -> tuple[str, int]:
    try:
        after, depth = orjson.loads(base64.urlsafe_b64decode(cursor))
    except (binascii.Error, ValueError, TypeError):
        raise RefusedError(404, "the cursor is malformed; begin without one") from None
    if not isinstance(after, str) or not isinstance(depth, int) or not after or not 0 <= depth <= _MAX_ROWS:
        raise RefusedError(404, "the cursor is malformed; begin without one")
    return after, depth
