"""Waiting for an event, not for the clock: the overall limit is generous, because a busy machine is no failure."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

PATIENCE_S = 240.0
"""A test that waits longer than this for one event has failed."""
STEP_S = 0.02

T = TypeVar("T")


def wait_until(condition: Callable[[], T], *, patience_s: float = PATIENCE_S) -> T:
    """Poll a condition that has no event of its own; return its first true value."""
    deadline = time.monotonic() + patience_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"the condition did not hold within {patience_s:.0f} s"
        time.sleep(STEP_S)
    return value


async def until(condition: Callable[[], Any], *, patience_s: float = PATIENCE_S) -> Any:
    """Poll a condition, plain or awaitable, on the running loop; return its first true value."""
    async with asyncio.timeout(patience_s):
        while not (value := await _value(condition)):  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(STEP_S)
    return value


async def _value(condition: Callable[[], Any]) -> Any:
    value = condition()
    return await value if isinstance(value, Awaitable) else value
