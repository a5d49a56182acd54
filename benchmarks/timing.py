"""Timing that is robust on a busy machine."""

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

    Rounds alternate between the works, so that other load on the machine affects all of them alike.
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
    """Print progress on standard error; standard output carries the results."""
    print(message, file=sys.stderr, flush=True)
