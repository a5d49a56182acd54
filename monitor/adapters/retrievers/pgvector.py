"""A retriever on PostgreSQL with pgvector: one table with a column of vectors."""

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
    """Which table is searched, and how."""

    url: SecretStr = Field(repr=False)
    """``postgresql://user:${PASSWORD}@host/database``; what is done there only reads."""
    table: str = Field(min_length=1)
    """Table or view, ``schema.table`` where it is not on the search path."""
    id: str = "id"
    """Column with the document id."""
    vector: str = "embedding"
    """Column with the vectors."""
    metric: Literal["cosine", "l2", "inner_product", "l1"] = "cosine"
    """Distance that is searched by; an index serves only the one it was built for."""
    search: Literal["index", "exact"] = "index"
    """Whether an index may answer, which is faster and misses some, or every row is looked at."""
    filter: str | None = None
    """Condition in SQL that the rows must meet, such as ``tenant = 7``."""
    settings: dict[str, int | float | str] = Field(default_factory=dict)
    """Settings of pgvector for each search, such as ``hnsw.ef_search: 100``; as the application sets them."""

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
        """The ``k`` nearest documents of all, best first."""
        async with self._turn():
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
        named = statement.format(id=sql.Identifier(self._options.id), vector=self._vector, table=self._table)
        rows = await self._fetch(named, (_array(doc_ids),))
        return {row["_id"]: np.array(orjson.loads(row["_vector"]), dtype=np.float32) for row in rows if row["_vector"]}

    async def _held_dimension(self) -> int | None:
        statement = sql.SQL("SELECT vector_dims({vector}) AS n FROM {table} WHERE {vector} IS NOT NULL LIMIT 1")
        rows = await self._fetch(statement.format(vector=self._vector, table=self._table))
        return rows[0]["n"] if rows else None

    async def _fetch(
        self, statement: sql.Composed, filled: Any = (), *, is_exact: bool = False
    ) -> list[dict[str, Any]]:
        """The rows of a statement, on an idle connection or a new one that is kept if nothing goes wrong."""
        connection = self._idle.pop() if self._idle else await self._connect()
        asked = asyncio.ensure_future(self._ask(connection, statement, filled, is_exact=is_exact))
        try:
            rows = await asyncio.shield(asked)
        except asyncio.CancelledError:
            # psycopg would first ask the server to stop, and wait for that, too, however long it is silent.
            _hang_up(connection)
            await asyncio.wait({asked})
            await _drop(connection)
            raise
        except Exception:
            await _drop(connection)
            raise
        self._idle.append(connection)
        return rows

    async def _ask(
        self, connection: Connection, statement: sql.Composed, filled: Any, *, is_exact: bool
    ) -> list[dict[str, Any]]:
        settings = {"statement_timeout": f"{self._options.timeout * 1_000:.0f}ms", **self._options.settings}
        settings |= {"enable_indexscan": "off"} if is_exact else {}
        async with connection.transaction():
            set_all = sql.SQL(", ").join([sql.SQL("set_config(%s, %s, true)")] * len(settings))
            flat = [str(part) for pair in settings.items() for part in pair]
            await connection.execute(sql.SQL("SELECT {}").format(set_all), flat)
            found = await connection.execute(statement, filled)
            return await found.fetchall()

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
            return Reason.REJECTED, f"no table is called {options.table}"
        if isinstance(error, errors.UndefinedColumn):
            names = ", ".join((options.id, options.vector, *options.fields))
            return Reason.REJECTED, f"{options.table} lacks one of the columns {names}"
        if isinstance(error, errors.UndefinedFunction):
            return Reason.REJECTED, f"pgvector is not installed there, or {options.vector} is not a column of vectors"
        if isinstance(error, errors.InsufficientPrivilege):
            return Reason.UNAUTHORISED, f"the user may not read {options.table}"
        if isinstance(error, errors.QueryCanceled):
            return Reason.TIMEOUT, "the server gave up on the query: statement_timeout"
        if isinstance(error, _GONE):
            return _explain_lost(error)
        return Reason.REJECTED, f"the server refused the query: {type(error).__name__}"


def _explain_lost(error: Exception) -> tuple[Reason, str]:
    """Of a connection that failed the server sends no code, only words."""
    if _REFUSED_CREDENTIALS.search(str(error)):
        return Reason.UNAUTHORISED, "PostgreSQL refused to log in: check the credentials"
    if _FULL.search(str(error)):
        return Reason.RATE_LIMITED, "PostgreSQL takes no more connections; lower concurrency"
    return Reason.UNREACHABLE, f"no connection to PostgreSQL: {type(error).__name__}"


def _hang_up(connection: Connection) -> None:
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


async def _drop(connection: Connection) -> None:
    with suppress(psycopg.Error, OSError):
        await connection.close()


def _where(condition: str | None) -> sql.Composable:
    # Only the condition is not ours; a percent sign in it is not a placeholder.
    return sql.SQL("WHERE (" + condition.replace("%", "%%") + ")") if condition else sql.SQL("")


def _literal(vector: Vectors) -> str:
    return orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _array(values: Sequence[str]) -> str:
    """An array as PostgreSQL writes it, which takes the type of the column that it is compared with."""
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in escaped) + "}"
