"""An ASGI application served in the running event loop, on a socket that is already open."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette

from monitor.errors import ConfigError


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any free port. Raises ConfigError if the port is in use."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise ConfigError(
            "server.port", f"{host}:{port}: {error.strerror}; choose another port, or 0 for any free one"
        ) from error


@asynccontextmanager
async def running(app: Starlette, listener: socket.socket) -> AsyncIterator[str]:
    """Serve the application on the socket until the block ends; yields its URL."""
    host, port = listener.getsockname()[:2]
    server = _Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=3))
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers; the caller decides when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
