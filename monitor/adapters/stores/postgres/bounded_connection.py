"""A psycopg connection that never waits for the server without end, such as for one that was paused.

The limits of the server (`statement_timeout`, `lock_timeout`) end statements while the server runs. This one also ends
the wait for a server that does not run, and lets a cancelled task go on at once.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import psycopg

GRACE_S = 5.0
"""The client waits this much longer than the server's own limit, so that the server's message arrives first."""
CANCELLED_S = 1.0
"""A cancelled task lets a statement under way finish within this time; then the connection is closed."""


class BoundedConnection(psycopg.AsyncConnection[Any]):
    """A connection whose every wait ends within ``wait_limit_s``, and soon after a cancellation."""

    wait_limit_s: float = 30.0 + GRACE_S
    used_s: float = 0.0
    """When the server last answered, by the monotonic clock."""
    is_direct: bool = False
    """Whether the server keeps the settings and prepared statements of this connection: there is no pooler between."""

    async def prepare_session(self, settings: Mapping[str, str]) -> None:
        """Set the limits for the whole session where the server keeps them.

        A pooler such as PgBouncer invents the process id that it reports, and may give each transaction another
        session: a setting would be lost, or stay for another client.
        """
        await self.set_autocommit(True)
        answer = await self.execute("SELECT pg_backend_pid()")
        row = await answer.fetchone()
        self.is_direct = row is not None and row[0] == self.info.backend_pid
        if self.is_direct:
            for name, value in settings.items():
                await self.execute("SELECT set_config(%s, %s, false)", (name, value))

    async def wait(self, *arguments: Any, **options: Any) -> Any:
        """Wait for the server. A wait that takes too long, or is cancelled, closes the connection."""
        waiting = asyncio.ensure_future(super().wait(*arguments, **options))
        limit = asyncio.get_running_loop().call_later(self.wait_limit_s, self._cut)
        try:
            # Shielded: a statement that is broken off in the middle leaves its connection unusable.
            result = await asyncio.shield(waiting)
        except asyncio.CancelledError:
            await self._leave(waiting)
            raise
        finally:
            limit.cancel()
        self.used_s = time.monotonic()
        return result

    async def _leave(self, waiting: asyncio.Future[Any]) -> None:
        """End a statement under way because its task was cancelled."""
        done, _ = await asyncio.wait({waiting}, timeout=CANCELLED_S)
        if not done:
            self._cut()
            await asyncio.wait({waiting}, timeout=CANCELLED_S)
        if waiting.done() and not waiting.cancelled():
            waiting.exception()  # read, so that it is not reported as lost

    def _cut(self) -> None:
        """Close both directions of the socket, which wakes whatever waits for it."""
        # The duplicate leaves psycopg's own descriptor to psycopg.
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.pgconn.socket)) as duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)
