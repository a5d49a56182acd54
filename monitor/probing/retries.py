"""Repeat a request that failed for a temporary reason, after a delay with jitter."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TypeVar

import stamina

from monitor.errors import AdapterError

T = TypeVar("T")
FIRST_DELAY_S, PATIENCE_S, JITTER_S = 0.1, 5.0, 0.1
"""The first delay, the longest delay whatever the target requests, and the largest random addition."""


async def attempt(call: Callable[[], Awaitable[T]], attempts: int) -> tuple[T | AdapterError, float]:
    """The result of a call, or its error, and the duration of the final attempt."""
    started = time.perf_counter()
    try:
        return await call(), time.perf_counter() - started
    except AdapterError as error:
        duration_s = time.perf_counter() - started
        return await _repeat(call, attempts, error, duration_s) if _delay(error) else (error, duration_s)


async def _repeat(
    call: Callable[[], Awaitable[T]], attempts: int, first: AdapterError, duration_s: float
) -> tuple[T | AdapterError, float]:
    """The same after a first attempt that failed: most calls succeed at once, and need no context for repeating."""
    _without_hooks()
    delays = stamina.retry_context(
        _delay, attempts=attempts, timeout=None, wait_initial=FIRST_DELAY_S, wait_max=PATIENCE_S, wait_jitter=JITTER_S
    )
    try:
        async for trial in delays:
            with trial:
                if trial.num == 1:
                    raise first
                started = time.perf_counter()
                try:
                    result = await call()
                finally:
                    duration_s = time.perf_counter() - started
    except AdapterError as error:
        return error, duration_s
    return result, duration_s


def _delay(error: Exception) -> bool | float:
    """Whether to repeat the call, or the seconds to wait before, if the target requests a delay."""
    if not isinstance(error, AdapterError) or not error.is_worth_retrying:
        return False
    if not error.retry_after_s:
        return True
    return min(error.retry_after_s + random.uniform(0, JITTER_S), PATIENCE_S)  # noqa: S311 - jitter is no secret


@cache
def _without_hooks() -> None:
    """Turn off stamina's own metrics and log lines: failures are counted once, in the run."""
    stamina.instrumentation.set_on_retry_hooks(())
