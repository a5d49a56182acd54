"""Timing that a busy machine disturbs as little as possible."""

from __future__ import annotations

import gc
import inspect
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

Work = Callable[[], Awaitable[object] | object]

ROUNDS = 3


async def median_seconds(*works: Work) -> list[float]:
    """Seconds that each work takes: the median of three, after a warm-up.

    Each round goes through all works, so that a neighbour who comes and goes meets all of them alike.
    """
    for work in works:
        await seconds(work)
    rounds = [[await seconds(work) for work in works] for _ in range(ROUNDS)]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


async def seconds(work: Work) -> float:
    """Seconds that a work takes, once."""
    gc.collect()
    started = time.perf_counter()
    result = work()
    if inspect.isawaitable(result):
        await result
    return time.perf_counter() - started


def say(message: str) -> None:
    """Tell on standard error what is under way, for standard output carries the results."""
    print(message, file=sys.stderr, flush=True)
