"""Talks to PostgreSQL with pgvector: one table with a column of vectors."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeAlias

import numpy as np
import orjson
import psycopg
from psycopg import errors, sql
from psycopg.rows import dict_row
from pydantic import Field, SecretStr, field_validator

from monitor.adapters.retrievers.vector_store.retriever import Row, VectorStoreOptions, VectorStoreRetriever, to_score
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.ports.targets import Vectors

Connection: TypeAlias = psycopg.AsyncConnection[dict[str, Any]]
OPERATORS = {"cosine": "<=>", "l2": "<->", "inner_product": "<#>", "l1": "<+>"}
_SETTING = re.compile(r"(hnsw|ivfflat)\.[a-z_]+")
_REFUSED_CREDENTIALS = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|role .* does not exist|not permitted to log in"
)
_FULL = re.compile(r"too many (clients|connections)|remaining connection slots")
_GONE = (psycopg.OperationalError, psycopg.InterfaceError, OSError)


class PgvectorOptions(VectorStoreOptions):
    """Table to search, and how."""

    url: SecretStr = Field(repr=False)
    """``postgresql://user:${PASSWORD}@host/database``; connections are read-only."""
    table: str = Field(min_length=1)
    """Table or view; ``schema.table`` if it is not on the search path."""
    id: str = "id"
    """Column with the document id."""
    vector: str = "embedding"
    """Column with the vectors."""
    metric: Literal["cosine", "l2", "inner_product", "l1"] = "cosine"
    """Distance of the search; an index supports only the distance it was built for."""
    search: Literal["index", "exact"] = "index"
    """``index`` for an approximate search that may miss documents, ``exact`` to compare every row."""
    filter: str | None = None
    """Filter as an SQL condition, such as ``tenant = 7``."""
    settings: dict[str, int | float | str] = Field(default_factory=dict)
    """Settings of pgvector for each search, such as ``hnsw.ef_search: 100``; use those of the application."""

    @field_validator("settings")
    @classmethod
    def _are_of_pgvector(cls, settings: dict[str, Any]) -> dict[str, Any]:
        for name in settings:
            if not _SETTING.fullmatch(name):
                raise ValueError(f"{name} is not a setting of pgvector, such as hnsw.ef_search or ivfflat.probes")
        return settings


class PgvectorRetriever(VectorStoreRetriever):
    """Searches a table of PostgreSQL."""

    Options = PgvectorOptions

    def __init__(self, options: PgvectorOptions) -> None:
        super().__init__(options)
        self._options = options
        self._idle: list[Connection] = []
        self._table = sql.Identifier(*options.table.split("."))
        self._vector = sql.Identifier(options.vector)
        self._statement = sql.SQL(
            "SELECT {id}::text AS _id, {vector} {operator} %(vector)s AS _distance{fields} FROM {table} {where}"
            " ORDER BY {vector} {operator} %(vector)s LIMIT %(k)s"
        ).format(
            id=sql.Identifier(options.id),
            vector=self._vector,
            operator=sql.SQL(OPERATORS[options.metric]),
            fields=sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(name)) for name in options.fields),
            table=self._table,
            where=_where(options.filter),
        )

    async def search_exact(self, vector: Vectors, k: int) -> Ranking:
        """Return the ``k`` nearest documents by exact search, best first."""
        async with self._slot():
            rows = await self._query(vector, k, is_exact=True)
        return self._to_ranking(rows, k)

    async def _search(self, vector: Vectors, k: int) -> Sequence[Row]:
        return await self._query(vector, k, is_exact=self._options.search == "exact")

    async def _query(self, vector: Vectors, k: int, *, is_exact: bool) -> list[Row]:
        # An untyped parameter takes the type of the column: vector or halfvec.
        rows = await self._fetch(self._statement, {"vector": _literal(vector), "k": k}, is_exact=is_exact)
        return [Row(row["_id"], to_score(row["_distance"], self._options.metric), row) for row in rows]

    async def _load_vectors(self, doc_ids: Sequence[str]) -> Mapping[str, Vectors]:
        statement = sql.SQL("SELECT {id}::text AS _id, {vector}::text AS _vector FROM {table} WHERE {id} = ANY(%s)")
        lookup = statement.format(id=sql.Identifier(self._options.id), vector=self._vector, table=self._table)
        rows = await self._fetch(lookup, (_array(doc_ids),))
        return {row["_id"]: np.array(orjson.loads(row["_vector"]), dtype=np.float32) for row in rows if row["_vector"]}

    async def _index_dimension(self) -> int | None:
        statement = sql.SQL("SELECT vector_dims({vector}) AS n FROM {table} WHERE {vector} IS NOT NULL LIMIT 1")
        rows = await self._fetch(statement.format(vector=self._vector, table=self._table))
        return rows[0]["n"] if rows else None

    async def _fetch(
        self, statement: sql.Composed, parameters: Any = (), *, is_exact: bool = False
    ) -> list[dict[str, Any]]:
        """Run a statement on an idle or new connection; the connection is kept unless an error occurs."""
        connection = self._idle.pop() if self._idle else await self._connect()
        task = asyncio.ensure_future(self._execute(connection, statement, parameters, is_exact=is_exact))
        try:
            rows = await asyncio.shield(task)
        except asyncio.CancelledError:
            # psycopg would first send a cancel request and wait for it without a limit.
            _hang_up(connection)
            await asyncio.wait({task})
            await _drop(connection)
            raise
        except Exception:
            await _drop(connection)
            raise
        self._idle.append(connection)
        return rows

    async def _execute(
        self, connection: Connection, statement: sql.Composed, parameters: Any, *, is_exact: bool
    ) -> list[dict[str, Any]]:
        settings = {"statement_timeout": f"{self._options.timeout * 1_000:.0f}ms", **self._options.settings}
        settings |= {"enable_indexscan": "off"} if is_exact else {}
        async with connection.transaction():
            set_all = sql.SQL(", ").join([sql.SQL("set_config(%s, %s, true)")] * len(settings))
            flat = [str(part) for pair in settings.items() for part in pair]
            await connection.execute(sql.SQL("SELECT {}").format(set_all), flat)
            cursor = await connection.execute(statement, parameters)
            return await cursor.fetchall()

    async def _connect(self) -> Connection:
        connection = await psycopg.AsyncConnection.connect(
            self._options.url.get_secret_value(),
            autocommit=True,
            row_factory=dict_row,
            prepare_threshold=None,  # prepared statements do not survive PgBouncer in transaction mode
            application_name="recallwatch",
        )
        await connection.set_read_only(True)
        return connection

    async def _disconnect(self) -> None:
        idle, self._idle = self._idle, []
        await asyncio.gather(*map(_drop, idle))

    def _failure(self, error: Exception) -> RetrieverError:
        return RetrieverError(*self._explain(error))

    def _explain(self, error: Exception) -> tuple[Reason, str]:
        options = self._options
        if isinstance(error, errors.UndefinedTable | errors.InvalidSchemaName):
            return Reason.REJECTED, f"unknown table {options.table}"
        if isinstance(error, errors.UndefinedColumn):
            names = ", ".join((options.id, options.vector, *options.fields))
            return Reason.REJECTED, f"{options.table} lacks one of the columns {names}"
        if isinstance(error, errors.UndefinedFunction):
            return Reason.REJECTED, f"pgvector is not installed, or {options.vector} is not a column of vectors"
        if isinstance(error, errors.InsufficientPrivilege):
            return Reason.UNAUTHORISED, f"the user has no permission to read {options.table}"
        if isinstance(error, errors.QueryCanceled):
            return Reason.TIMEOUT, "the query exceeded statement_timeout"
        if isinstance(error, _GONE):
            return _explain_connection_error(error)
        return Reason.REJECTED, f"the server rejected the query: {type(error).__name__}"


def _explain_connection_error(error: Exception) -> tuple[Reason, str]:
    """Read the reason from the message; the server sends no error code for a failed connection."""
    if _REFUSED_CREDENTIALS.search(str(error)):
        return Reason.UNAUTHORISED, "PostgreSQL rejected the login: check the credentials"
    if _FULL.search(str(error)):
        return Reason.RATE_LIMITED, "PostgreSQL has no free connections; lower concurrency"
    return Reason.UNREACHABLE, f"no connection to PostgreSQL: {type(error).__name__}"


def _hang_up(connection: Connection) -> None:
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


async def _drop(connection: Connection) -> None:
    with suppress(psycopg.Error, OSError):
        await connection.close()


def _where(condition: str | None) -> sql.Composable:
    # The condition comes from the configuration; a percent sign in it is not a placeholder.
    return sql.SQL("WHERE (" + condition.replace("%", "%%") + ")") if condition else sql.SQL("")


def _literal(vector: Vectors) -> str:
    return orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _array(values: Sequence[str]) -> str:
    """Format an array for PostgreSQL; it takes the type of the column it is compared with."""
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in escaped) + "}"
