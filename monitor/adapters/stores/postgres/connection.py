"""A connection to PostgreSQL whose every error is a `StoreError` that says what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, cast

import orjson
import psycopg
from sqlalchemy import Executable
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from monitor.adapters.stores.postgres.migration import Migrations
from monitor.adapters.stores.postgres.rows import Row
from monitor.errors import StoreError


def encode_json(value: Any) -> bytes:
    """JSON bytes; enum keys and tuples are written as the strings and lists they stand for."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)


class Database:
    """A PostgreSQL database.

    ``server`` brings the database up and yields its URL; an outside database is simply its URL. The schema
    of a server that is ours is migrated when it opens, anybody else's only by ``recallwatch migrate``.
    """

    def __init__(self, server: AbstractAsyncContextManager[str] | str) -> None:
        self._is_ours = not isinstance(server, str)
        self._server = nullcontext(server) if isinstance(server, str) else server
        self._engine: AsyncEngine | None = None
        self.errors = 0

    async def open(self) -> None:
        """Connect; migrate an embedded database, refuse an outside one whose schema is not current."""
        url = with_driver(await self._server.__aenter__())
        try:
            migrations = Migrations(url)
            await (migrations.apply() if self._is_ours else migrations.refuse_if_behind())
            self._engine = _engine(url)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Disconnect, and stop the server if it is ours."""
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None
        await self._server.__aexit__(None, None, None)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        if self._engine is None:
            raise StoreError("the store is not open")
        try:
            async with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, psycopg.Error, OSError) as error:
            self.errors += 1
            raise describe(error) from error

    async def _execute(self, statement: Executable) -> None:
        async with self._transaction() as connection:
            await connection.execute(statement)

    async def _all(self, statement: Executable) -> Sequence[Row]:
        async with self._transaction() as connection:
            return cast("Sequence[Row]", (await connection.execute(statement)).mappings().all())

    async def _first(self, statement: Executable) -> Row | None:
        async with self._transaction() as connection:
            return cast("Row | None", (await connection.execute(statement)).mappings().first())


async def copy(
    connection: AsyncConnection,
    table: str,
    columns: Sequence[str],
    types: Sequence[str],
    values: Iterable[tuple[Any, ...]],
) -> None:
    """Write rows by binary COPY, inside the connection's transaction."""
    raw = (await connection.get_raw_connection()).driver_connection
    if raw is None:
        raise StoreError("the connection to the database was lost")
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
    async with raw.cursor() as cursor, cursor.copy(statement) as writer:
        writer.set_types(types)
        for row in values:
            await writer.write_row(row)


def describe(error: BaseException) -> StoreError:
    """The error in the words of an operator, with the remedy; never with a password."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    first_line = (str(cause).splitlines() or [type(cause).__name__])[0]
    if isinstance(cause, psycopg.errors.DiskFull):
        return StoreError(f"the disk of the database is full: {first_line}; free space and start again")
    if isinstance(cause, psycopg.OperationalError | OSError):
        return StoreError(f"the database is out of reach: {first_line}; check storage.url and that it runs")
    return StoreError(f"the database refused: {first_line}")


def with_driver(url: str) -> str:
    """The URL with psycopg 3 named as the driver."""
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


def _engine(url: str) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_pre_ping=True,
        # Hundreds of targets take turns; each cycle holds a connection for moments only.
        pool_size=10,
        max_overflow=20,
        hide_parameters=True,
        json_serializer=lambda value: encode_json(value).decode(),
        json_deserializer=orjson.loads,
        # Prepared statements do not survive PgBouncer in transaction mode.
        connect_args={"prepare_threshold": None, "connect_timeout": 10},
    )
