"""Loops that run as long as the daemon does: one that fails is started again, and none ends silently."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog

_LOG = structlog.get_logger(__name__)

RESTART_S = 5.0
"""A loop that failed is started again after this pause."""

Loop = Callable[[], Coroutine[Any, Any, None]]


@asynccontextmanager
async def in_background(loops: Mapping[str, Loop], failed: Callable[[str], None]) -> AsyncIterator[None]:
    """Run loops beside the body of the block, and cancel them at its end.

    ``failed`` is called with the name of a loop that fails.
    """
    tasks = [asyncio.create_task(keep_running(name, loop, failed)) for name, loop in loops.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def keep_running(name: str, loop: Loop, failed: Callable[[str], None]) -> None:
    """Run a loop until it ends by itself; after an error, which is logged and counted, start it again."""
    while True:
        try:
            return await loop()
        except Exception:  # noqa: BLE001 - a defect in one loop must not end it, nor the others
            _LOG.exception("loop_failed", loop=name)
            failed(name)
        await asyncio.sleep(RESTART_S)
