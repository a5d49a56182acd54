"""Doing together what was asked for meanwhile: a model takes a batch in little more time than one text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Request = TypeVar("Request")
Made = TypeVar("Made")


class Batch(Generic[Request, Made]):
    """Whoever comes first does the work of everybody who came meanwhile, in a thread and in turn."""

    def __init__(self, turn: asyncio.Lock, work: Callable[[Sequence[Request]], Sequence[Made]]) -> None:
        self._turn, self._work = turn, work
        self._waiting: list[tuple[Request, asyncio.Future[Made]]] = []

    async def ask(self, request: Request) -> Made:
        """What the work makes of this, once it has been its turn."""
        made: asyncio.Future[Made] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, made))
        async with self._turn:
            together, self._waiting = self._waiting, []
            if together:
                await self._do(together)
        return await made

    async def _do(self, together: list[tuple[Request, asyncio.Future[Made]]]) -> None:
        try:
            found = await asyncio.to_thread(self._work, [request for request, _ in together])
        except Exception as error:  # noqa: BLE001 - each of them is told, or it would wait for ever
            for _, future in together:
                future.set_exception(error)
            return
        for (_, future), each in zip(together, found, strict=True):
            if not future.cancelled():
                future.set_result(each)
