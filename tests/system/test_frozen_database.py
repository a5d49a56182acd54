"""A PostgreSQL that is paused: no caller waits for it without end."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.adapters.stores.embedded import EmbeddedPostgres
from monitor.adapters.stores.postgres.connection import Database, DatabaseLimits
from monitor.errors import StoreError

pytestmark = pytest.mark.slow

ONE = text("SELECT 1 AS one")


def processes_of(postmaster: int) -> list[int]:
    """The server process and its children."""
    children = subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True, text=True, check=False).stdout
    return [postmaster, *map(int, children.split())]


@contextmanager
def paused(folder: Path) -> Iterator[None]:
    """The embedded server of a data folder, stopped by SIGSTOP until the block ends."""
    postmaster = int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    stopped = processes_of(postmaster)
    for process in stopped:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in stopped:
            os.kill(process, signal.SIGCONT)


def test_a_paused_server_ends_statements_and_cancellations(tmp_path: Path) -> None:
    """A statement on a paused server is an error within its limit, a cancelled one ends at once, and work goes on."""

    async def story() -> None:
        database = Database(EmbeddedPostgres(tmp_path), DatabaseLimits(statement_timeout_s=1.0))
        await database.open()
        try:
            await asyncio.gather(*(database._first(ONE) for _ in range(3)))  # open connections, so that none is new
            with paused(tmp_path):
                cancelled = asyncio.create_task(database._first(ONE))
                await asyncio.sleep(0.1)
                started = time.monotonic()
                cancelled.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await cancelled
                assert time.monotonic() - started < 10
                with pytest.raises(StoreError, match="unreachable"):
                    await database._first(ONE)
            row = await database._first(ONE)
            assert row is not None
            assert row["one"] == 1
            assert database.connections[0] == 0
        finally:
            await database.close()

    asyncio.run(story())


def test_statements_and_locks_have_limits(tmp_path: Path) -> None:
    """A statement and a wait for a lock end by the limits of the configuration, with the key to change."""

    async def story() -> None:
        limits = DatabaseLimits(statement_timeout_s=1.0, lock_timeout_s=0.2, pool_size=2)
        database = Database(EmbeddedPostgres(tmp_path), limits)
        await database.open()
        try:
            with pytest.raises(StoreError, match=r"storage\.statement_timeout"):
                await database._first(text("SELECT pg_sleep(30)"))
            async with database._transaction() as holder:
                await holder.execute(text("LOCK TABLE run"))
                with pytest.raises(StoreError, match="lock timeout"):
                    await database._first(text("SELECT count(*) FROM run"))
                async with database._transaction():
                    with pytest.raises(StoreError, match=r"storage\.pool_size"):
                        await database._first(ONE)
        finally:
            await database.close()

    asyncio.run(story())
