"""Batching of concurrent requests: a model takes little longer for a batch than for one text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Request = TypeVar("Request")
Response = TypeVar("Response")


class Batch(Generic[Request, Response]):
    """Runs the work of all requests that wait at the same time as one batch, in a thread."""

    def __init__(self, turn: asyncio.Lock, work: Callable[[Sequence[Request]], Sequence[Response]]) -> None:
        self._turn, self._work = turn, work
        self._waiting: list[tuple[Request, asyncio.Future[Response]]] = []

    async def ask(self, request: Request) -> Response:
        """The response to one request, from the batch that contains it."""
        response: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, response))
        async with self._turn:
            batch, self._waiting = self._waiting, []
            if batch:
                await self._run(batch)
        return await response

    async def _run(self, batch: list[tuple[Request, asyncio.Future[Response]]]) -> None:
        try:
            responses = await asyncio.to_thread(self._work, [request for request, _ in batch])
        except Exception as error:  # noqa: BLE001 - passed on to every request, which would wait for ever
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), response in zip(batch, responses, strict=True):
            if not future.cancelled():
                future.set_result(response)
