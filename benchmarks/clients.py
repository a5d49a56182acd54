"""Other HTTP clients for `benchmarks.probing`, used as their documentation recommends; they only parse the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, TypeAlias

import aiohttp
import httpx
import orjson
from pyreqwest.client import ClientBuilder

Post: TypeAlias = Callable[[dict[str, Any]], Awaitable[object]]
"""Posts one question and returns the parsed answer."""


@asynccontextmanager
async def clients(url: str, concurrency: int) -> AsyncIterator[dict[str, Post]]:
    """Each client by name and version."""
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    connector = aiohttp.TCPConnector(limit=concurrency)
    builder = ClientBuilder().max_connections(concurrency).error_for_status(enable=True)
    async with (
        httpx.AsyncClient(limits=limits) as plain,
        aiohttp.ClientSession(connector=connector, raise_for_status=True) as session,
        builder.build() as compiled,
    ):

        async def by_httpx(question: dict[str, Any]) -> object:
            return (await plain.post(url, json=question)).raise_for_status().json()

        async def by_aiohttp(question: dict[str, Any]) -> object:
            async with session.post(url, json=question) as answer:
                return orjson.loads(await answer.read())

        async def by_pyreqwest(question: dict[str, Any]) -> object:
            return await (await compiled.post(url).body_json(question).build().send()).json()

        yield {
            f"httpx {version('httpx')} AsyncClient": by_httpx,
            f"aiohttp {version('aiohttp')} + orjson": by_aiohttp,
            f"pyreqwest {version('pyreqwest')}": by_pyreqwest,
        }


async def ask_all(post: Post, questions: Iterable[dict[str, Any]], concurrency: int) -> None:
    """Send all questions with limited concurrency."""
    waiting = iter(questions)

    async def work() -> None:
        for question in waiting:
            await post(question)

    await asyncio.gather(*(work() for _ in range(concurrency)))
