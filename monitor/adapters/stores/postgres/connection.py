"""A connection to PostgreSQL that raises every error as a `StoreError` with the remedy."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import orjson
import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Executable, QueuePool, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util.concurrency import greenlet_spawn

from monitor.adapters.stores.postgres.bounded_connection import GRACE_S, BoundedConnection
from monitor.adapters.stores.postgres.lane import Lane
from monitor.adapters.stores.postgres.migration import Migrations
from monitor.adapters.stores.postgres.rows import Row
from monitor.errors import StoreError

IDLE_S = 1.0
"""A connection that was idle for longer is pinged before its next statement."""


def encode_json(value: Any) -> bytes:
    """JSON bytes; enum keys become strings, tuples become lists."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)


@dataclass(frozen=True, slots=True)
class DatabaseLimits:
    """How long a statement may take, and how many connections a process opens."""

    statement_timeout_s: float = 30.0
    lock_timeout_s: float = 10.0
    pool_size: int = 30


class Database:
    """A PostgreSQL database.

    ``server`` is the URL of an external database, or a context manager that starts an embedded one and yields its URL.
    The schema of an embedded database is migrated on opening, that of an external one only by ``recallwatch migrate``.
    """

    def __init__(
        self, server: AbstractAsyncContextManager[str] | str, limits: DatabaseLimits = DatabaseLimits()
    ) -> None:
        self._limits = limits
        self._is_embedded = not isinstance(server, str)
        self._server = nullcontext(server) if isinstance(server, str) else server
        self._engine: AsyncEngine | None = None
        self.errors = 0
        self._failed_s = 0.0

    async def open(self) -> None:
        """Connect. Migrates an embedded database; raises StoreError if the schema of an external one is outdated."""
        url = with_driver(await self._server.__aenter__())
        try:
            migrations = Migrations(url)
            await (migrations.apply() if self._is_embedded else migrations.refuse_if_behind())
            self._engine = _engine(url, self._limits)
            dialect: Any = self._engine.dialect
            dialect.do_ping = partial(self._ping, dialect.do_ping)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Disconnect, and stop an embedded server."""
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None
        await self._server.__aexit__(None, None, None)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        if self._engine is None:
            raise StoreError("the store is not open")
        try:
            async with self._engine.connect() as connection:
                raw: Any = (await connection.get_raw_connection()).driver_connection
                if raw.autocommit:
                    await raw.set_autocommit(False)
                async with connection.begin():
                    if not raw.is_direct:
                        await connection.execute(_SET_LIMITS, _settings(self._limits))
                    yield connection
        except (SQLAlchemyError, psycopg.Error, OSError) as error:
            self._note_failure()
            raise describe(error) from error

    @asynccontextmanager
    async def _lane(self) -> AsyncIterator[Lane]:
        """A connection of the pool for the few statements of every cycle, without the overhead of SQLAlchemy."""
        if self._engine is None:
            raise StoreError("the store is not open")
        try:
            checked_out = await greenlet_spawn(self._engine.sync_engine.raw_connection)
            connection: Any = checked_out.driver_connection
            try:
                yield Lane(connection, _settings(self._limits))
            finally:
                if connection.closed or connection.info.transaction_status != TransactionStatus.IDLE:
                    await greenlet_spawn(checked_out.invalidate)
                await greenlet_spawn(checked_out.close)
        except (SQLAlchemyError, psycopg.Error, OSError) as error:
            self._note_failure()
            raise describe(error) from error

    def _note_failure(self) -> None:
        self.errors += 1
        self._failed_s = time.monotonic()
        self._reset()

    def _ping(self, ping: Callable[[Any], bool], connection: Any) -> bool:
        """Whether a connection from the pool is usable. One that answered a moment ago is, unless one failed since."""
        raw: BoundedConnection = connection.driver_connection
        is_fresh = raw.used_s > self._failed_s and time.monotonic() - raw.used_s < IDLE_S
        return (is_fresh and not raw.closed) or ping(connection)

    @property
    def connections(self) -> tuple[int, int]:
        """Number of connections in use, and the largest number that this process opens."""
        pool = self._engine.pool if self._engine is not None else None
        return (pool.checkedout() if isinstance(pool, QueuePool) else 0, self._limits.pool_size)

    def _reset(self) -> None:
        """Empty the caches of the store: after an error another database may answer."""

    async def _execute(self, statement: Executable) -> None:
        async with self._transaction() as connection:
            await connection.execute(statement)

    async def _all(self, statement: Executable) -> Sequence[Row]:
        async with self._transaction() as connection:
            return cast("Sequence[Row]", (await connection.execute(statement)).mappings().all())

    async def _first(self, statement: Executable) -> Row | None:
        async with self._transaction() as connection:
            return cast("Row | None", (await connection.execute(statement)).mappings().first())


def describe(error: BaseException) -> StoreError:
    """The error with its remedy, without passwords."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    first_line = (str(cause).splitlines() or [type(cause).__name__])[0]
    if isinstance(cause, PoolTimeoutError):
        return StoreError("every connection to the database is in use; raise storage.pool_size")
    if isinstance(cause, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable):
        return StoreError(f"the database was too slow: {first_line}; see storage.statement_timeout and lock_timeout")
    if isinstance(cause, psycopg.errors.DiskFull):
        return StoreError(f"the disk of the database is full: {first_line}; free space and restart")
    if isinstance(cause, psycopg.OperationalError | OSError):
        return StoreError(
            f"the database is unreachable: {first_line}; check storage.url and that the server is running"
        )
    return StoreError(f"the database rejected the statement: {first_line}")


def with_driver(url: str) -> str:
    """The URL with psycopg 3 as its driver."""
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


# For one transaction at a time: PgBouncer in transaction mode keeps no setting of a session.
_SET_LIMITS = text(
    "SELECT set_config('statement_timeout', :statement_timeout, true), set_config('lock_timeout', :lock_timeout, true)"
)


def _settings(limits: DatabaseLimits) -> dict[str, str]:
    return {
        "statement_timeout": str(round(limits.statement_timeout_s * 1_000)),
        "lock_timeout": str(round(limits.lock_timeout_s * 1_000)),
    }


def _engine(url: str, limits: DatabaseLimits) -> AsyncEngine:
    class Connection(BoundedConnection):
        wait_limit_s = limits.statement_timeout_s + GRACE_S

    async def connect(*arguments: Any, **options: Any) -> Connection:
        connection = await Connection.connect(*arguments, **options)
        try:
            await connection.prepare_session(_settings(limits))
        except BaseException:
            await connection.close()
            raise
        return connection

    return create_async_engine(
        url,
        pool_pre_ping=True,
        # Every transaction ends in its own block, so that a returned connection has none.
        pool_reset_on_return=None,
        # The connection that was used last, so that few are idle and need a ping.
        pool_use_lifo=True,
        # A cycle holds a connection only briefly, so this pool serves hundreds of targets.
        pool_size=limits.pool_size,
        max_overflow=0,
        pool_timeout=limits.statement_timeout_s,
        hide_parameters=True,
        json_serializer=lambda value: encode_json(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            # Prepared statements do not work with PgBouncer in transaction mode; `Lane` knows where they do.
            "prepare_threshold": None,
            "connect_timeout": 10,
            "async_creator_fn": connect,
        },
    )
