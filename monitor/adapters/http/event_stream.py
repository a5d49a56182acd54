"""Reading answers that come in pieces: server-sent events, or JSON in lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from monitor.errors import AdapterError, Reason

DONE = b"[DONE]"
"""What ends a stream of OpenAI's kind."""


def pieces(body: bytes, failure: Callable[[Reason, str], AdapterError], *, needs_end: bool = False) -> Iterator[Any]:
    """Each JSON value of a stream, in order.

    A line is JSON by itself or behind ``data:``; comments, other fields of events and empty lines are passed over. A
    stream that breaks off in the middle of a piece, or before the end that it ``needs_end`` to state, is a failure:
    half an answer would be scored as a bad one.
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
            raise failure(Reason.MALFORMED, "a piece of the stream is not JSON") from error
    if needs_end and not ended:
        raise failure(Reason.BROKEN, "the stream ended before it said so")
