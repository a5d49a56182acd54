"""A local HTTP server that misbehaves on demand, for tests of HTTP adapters."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class ReceivedRequest(NamedTuple):
    """One received request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[ReceivedRequest, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class LocalServer:
    """The port of the server and its received requests."""

    port: int
    requests: list[ReceivedRequest] = field(default_factory=list)

    def url(self, path: str = "/search", credentials: str = "") -> str:
        """The URL of a path, with optional ``user:password@``."""
        return f"http://{credentials}127.0.0.1:{self.port}{path}"


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[LocalServer]:
    """Run a server with this handler until the block ends."""
    handling: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handling.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                request = await read_request(reader)
                served.requests.append(request)
                await answer(request, writer)
        finally:
            handling.discard(task)
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    served = LocalServer(server.sockets[0].getsockname()[1])
    try:
        yield served
    finally:
        server.close()
        for task in handling:
            task.cancel()
        await asyncio.gather(*handling, return_exceptions=True)


def unused_port() -> int:
    """A port without a listener."""
    import socket

    with socket.socket() as unbound:
        unbound.bind(("127.0.0.1", 0))
        return int(unbound.getsockname()[1])


def reply(status: int = 200, body: object = b"", headers: dict[str, str] | None = None) -> Answer:
    """Respond with a status and a body; a body that is not bytes is sent as JSON."""

    async def answer(_: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"content-length": str(len(content)), "connection": "close", **(headers or {})}
        head = [f"HTTP/1.1 {status} So", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        writer.write("\r\n".join(head).encode("latin-1") + content)
        await writer.drain()

    return answer


def raw(content: bytes) -> Answer:
    """Send exactly these bytes, then close the connection."""

    async def answer(_: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()

    return answer


def in_turn(*answers: Answer) -> Answer:
    """Use each handler once, in order."""
    remaining = iter(answers)

    async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await next(remaining)(request, writer)

    return answer


async def silence(_: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """Accept the request and never respond."""
    await asyncio.sleep(60)


async def trickle(_: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """Send a byte every twenty milliseconds, so that no single read is slow."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


def flood(announced: int | None = None) -> Answer:
    """Send an endless body, with or without a content length."""

    async def answer(_: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        length = b"connection: close" if announced is None else b"content-length: %d" % announced
        writer.write(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n")
        part = b"x" * 65_536
        while True:
            writer.write(part)
            await writer.drain()

    return answer


async def reset(_: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """Abort the connection."""
    writer.transport.abort()


async def hang_up(_: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """Close the connection without a response."""


async def read_request(reader: asyncio.StreamReader) -> ReceivedRequest:
    """The next request of a connection."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return ReceivedRequest(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))
