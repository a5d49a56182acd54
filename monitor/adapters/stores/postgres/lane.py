"""The statements of every cycle, sent to psycopg itself: SQLAlchemy takes ten times the processor time of the driver.

On a direct connection a single statement is its own transaction, in one round trip, and is prepared. Through a pooler
each statement runs in a transaction with the limits that are set at its beginning.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg.rows import dict_row

from monitor.adapters.stores.postgres.bounded_connection import BoundedConnection

Parameters = Mapping[str, Any]
Statement = tuple[str, Parameters]
Rows = list[dict[str, Any]]
_SET_LIMITS = """SELECT set_config('statement_timeout', %(statement_timeout)s, true),
    set_config('lock_timeout', %(lock_timeout)s, true)"""


class Lane:
    """One connection, lent for a few statements."""

    def __init__(self, connection: BoundedConnection, settings: Mapping[str, str]) -> None:
        self._connection, self._settings = connection, settings

    async def rows(self, statement: str, parameters: Parameters) -> Rows:
        """The rows of a statement that is a transaction of its own."""
        await self._leave_transactions()
        if self._connection.is_direct:
            return await self.rows_within(statement, parameters)
        async with self.transaction():
            return await self.rows_within(statement, parameters)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Lane]:
        """Statements that are committed together, or not at all if the block raises."""
        await self._leave_transactions()
        async with self._connection.transaction():
            if not self._connection.is_direct:
                await self._connection.execute(_SET_LIMITS, self._settings)
            yield self

    async def together(self, statements: Sequence[Statement]) -> list[Rows]:
        """The rows of statements that are committed together, sent in one round trip where the server allows it."""
        await self._leave_transactions()
        if not self._connection.is_direct:
            async with self.transaction():
                return [await self.rows_within(*each) for each in statements]
        async with self._connection.pipeline(), self._connection.transaction():
            cursors = [await self._send(*each) for each in statements]
        return [await cursor.fetchall() if cursor.description else [] for cursor in cursors]

    async def rows_within(self, statement: str, parameters: Parameters) -> Rows:
        """The rows of a statement within a transaction."""
        cursor = await self._send(statement, parameters)
        return await cursor.fetchall() if cursor.description else []

    async def _send(self, statement: str, parameters: Parameters) -> Any:
        connection = self._connection
        connection.prepare_threshold = 0 if connection.is_direct else None
        try:
            return await connection.cursor(row_factory=dict_row).execute(statement, parameters)
        finally:
            connection.prepare_threshold = None

    async def _leave_transactions(self) -> None:
        if not self._connection.autocommit:
            await self._connection.set_autocommit(True)
