"""A TCP proxy in front of a real server that can be cut, frozen and restored."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path


class Wire:
    """Forwards bytes to a server on a port or a Unix socket, unless cut or frozen."""

    def __init__(self, upstream: int | Path) -> None:
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_flowing = asyncio.Event()
        self._is_flowing.set()
        self.port = 0

    async def restore(self) -> None:
        """Listen again, on the same port."""
        self._is_flowing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    def freeze(self) -> None:
        """Keep connections open, but forward nothing."""
        self._is_flowing.clear()

    async def cut(self) -> None:
        """Abort every connection, and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers.copy():
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = self._upstream
        opening = (
            asyncio.open_connection("127.0.0.1", upstream)
            if isinstance(upstream, int)
            else asyncio.open_unix_connection(upstream)
        )
        far_reader, far_writer = await opening
        self._writers |= {writer, far_writer}
        try:
            with suppress(OSError, asyncio.CancelledError):
                await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        finally:
            for end in (writer, far_writer):
                self._writers.discard(end)
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._is_flowing.wait()
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def wired(upstream: int | Path) -> AsyncIterator[Wire]:
    """A working proxy, cut when the block ends."""
    wire = Wire(upstream)
    await wire.restore()
    try:
        yield wire
    finally:
        await wire.cut()
