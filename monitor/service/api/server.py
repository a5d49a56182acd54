"""An ASGI application served in the running event loop, on a socket that is already open."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

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
async def running(app: Starlette, listener: socket.socket, tls: tuple[Path, Path] | None = None) -> AsyncIterator[str]:
    """Serve the application on the socket until the block ends; yields its URL. ``tls``: certificate and key."""
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
        proxy_headers=False,  # the address of the sender decides whose header counts
        server_header=False,
        ssl_certfile=tls[0] if tls else None,
        ssl_keyfile=tls[1] if tls else None,
    )
    try:
        config.load()
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigError("server.tls_certificate", f"cannot be used: {error}") from error
    task = asyncio.create_task((server := _Server(config)).serve([listener]))
    try:
        yield f"{'https' if tls else 'http'}://{host}:{port}"
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers; the caller decides when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
