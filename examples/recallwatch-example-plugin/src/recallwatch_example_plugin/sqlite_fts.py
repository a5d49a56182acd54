"""Full-text search (FTS5) in a SQLite file. The table has the columns ``id`` and ``text``."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from pydantic import Field

from monitor.config.config import Section
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking


class SqliteFtsOptions(Section):
    """A database file and its full-text table."""

    path: Path
    """The database file; it is opened read-only."""
    table: str = Field(default="documents", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """An FTS5 table with the columns ``id`` and ``text``."""
    concurrency: int = Field(default=4, ge=1, le=64)
    """Maximum number of concurrent queries."""


class SqliteFtsRetriever:
    """Ranks documents by BM25, any word of the query may match."""

    Options = SqliteFtsOptions

    def __init__(self, options: SqliteFtsOptions) -> None:
        self.concurrency = options.concurrency
        self._options = options

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        words = re.findall(r"\w+", query)
        if not words:
            return Ranking(doc_ids=())
        match = " OR ".join(f'"{word}"' for word in words)
        try:
            rows = await asyncio.to_thread(self._search, match, k)
        except sqlite3.Error as error:
            raise RetrieverError(_reason(error), str(error)) from error
        return Ranking(doc_ids=tuple(doc_id for doc_id, _ in rows), scores=tuple(score for _, score in rows))

    async def close(self) -> None:
        """Connections end with each query."""

    def _search(self, match: str, k: int) -> list[tuple[str, float]]:
        table = self._options.table
        # bm25 is negative, and lower is better.
        statement = f"SELECT id, -bm25({table}) FROM {table} WHERE {table} MATCH ? ORDER BY bm25({table}) LIMIT ?"  # noqa: S608 - the options allow a plain name only
        with closing(sqlite3.connect(f"file:{self._options.path}?mode=ro", uri=True)) as connection:
            return connection.execute(statement, (match, k)).fetchall()


def _reason(error: sqlite3.Error) -> Reason:
    """Every error of a library becomes one of the closed list of reasons."""
    return Reason.UNREACHABLE if "unable to open" in str(error) else Reason.REJECTED
