"""Read streamed responses: server-sent events or JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from monitor.errors import AdapterError, Reason

DONE = b"[DONE]"
"""End marker of an OpenAI stream."""


def read_events(
    body: bytes, failure: Callable[[Reason, str], AdapterError], *, needs_end: bool = False
) -> Iterator[Any]:
    """Yield the JSON values of a stream in order.

    A line is JSON, optionally after ``data:``. Comments, other event fields and empty lines are skipped. A stream cut
    off within an event is a failure, and so is one without an end marker if ``needs_end``: a truncated answer would
    otherwise be scored as a bad answer.
    """
    ended = False
    for line in body.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith((b":", b"event:", b"id:", b"retry:")):
            continue
        data = stripped.removeprefix(b"data:").strip()
        if data == DONE:
            ended = True
            break
        try:
            yield orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise failure(Reason.MALFORMED, "an event of the stream is not JSON") from error
    if needs_end and not ended:
        raise failure(Reason.BROKEN, "the stream ended without its end marker")
