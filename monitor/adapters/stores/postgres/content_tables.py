"""Rankings, answers and measurements in PostgreSQL, each content stored once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import islice
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.adapters.stores.postgres import content_rows
from monitor.adapters.stores.postgres.content_rows import Content, Hash

PARTITION_LOCK = 0x7061_7274
MOST_KNOWN = 65_536
"""Contents whose keys a process remembers; about 10 MB."""
PARTITIONED = ("ranking", "answer_content")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A table of contents."""

    table: str
    key: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    is_monthly: bool = True

    @property
    def statement(self) -> str:
        """Add the contents that the table lacks, and return the keys of all.

        Of two processes that add the same content, one waits for the other and finds no key here; it asks again.
        """
        columns = ", ".join(self.columns)
        placeholders = ", ".join(f"%({name})s::text[]" for name in self.columns)
        casts = ", ".join(f"{name}::{kind}" for name, kind in zip(self.columns, self.types, strict=True))
        month = "%(month)s::date, " if self.is_monthly else ""
        is_of_month = "AND stored.month = %(month)s::date" if self.is_monthly else ""
        return f"""
            WITH content(hash, {columns}) AS (SELECT * FROM unnest(%(hash)s::uuid[], {placeholders})),
            added AS (
                INSERT INTO {self.table} ({"month, " if self.is_monthly else ""}hash, {columns})
                SELECT {month}hash, {casts} FROM content
                ON CONFLICT DO NOTHING RETURNING hash, {self.key} AS key
            )
            SELECT uuid_send(hash) AS hash, key FROM added
            UNION ALL
            SELECT uuid_send(stored.hash), stored.{self.key} FROM content JOIN {self.table} AS stored USING (hash)
            WHERE true {is_of_month}"""  # noqa: S608 - names of our own tables


RANKINGS = Kind(
    table="ranking", key="ranking_key", columns=content_rows.RANKING_COLUMNS, types=content_rows.RANKING_TYPES
)
ANSWERS = Kind(
    table="answer_content", key="answer_key", columns=content_rows.ANSWER_COLUMNS, types=content_rows.ANSWER_TYPES
)
VALUES = Kind(table="measurement_values", key="values_key", columns=("numbers",), types=("float8[]",), is_monthly=False)
MEASURED = Kind(
    table="measured", key="measured_key", columns=("value_keys", "summary"), types=("jsonb", "jsonb"), is_monthly=False
)


@dataclass(slots=True)
class KnownKeys:
    """Keys of contents that are committed, so that repeated contents need no statement."""

    keys: dict[tuple[str, date, Hash], int] = field(default_factory=dict)
    months: set[date] = field(default_factory=set)
    """Months whose partitions exist."""

    def of(self, kind: Kind, month: date, contents: Iterable[tuple[Hash, Sequence[bytes]] | None]) -> list[int] | None:
        """The key of each content, 0 where there is none; None if one of them is not known."""
        if month not in self.months:
            return None
        keys = [self.keys.get((kind.table, month, each[0])) if each else 0 for each in contents]
        return None if None in keys else [key for key in keys if key is not None]

    def learn(self, keys: Mapping[tuple[str, date, Hash], int]) -> None:
        """Remember committed keys; the oldest are forgotten first."""
        self.keys.update(keys)
        self.months.update(month for _, month, _ in keys)
        for key in list(islice(self.keys, max(0, len(self.keys) - MOST_KNOWN))):
            del self.keys[key]

    def forget(self) -> None:
        """Forget everything: another database may answer from now on."""
        self.keys.clear()
        self.months.clear()


async def keys_of(
    connection: AsyncConnection, kind: Kind, month: date, contents: Mapping[Hash, Content]
) -> dict[Hash, int]:
    """The key of each content; contents that are not stored yet are added."""
    keys: dict[Hash, int] = {}
    # Sorted, so that two processes that add the same contents cannot wait for each other.
    while missing := sorted(contents.keys() - keys.keys()):
        columns = zip(*(contents[each] for each in missing), strict=True)
        parameters: dict[str, Any] = dict(zip(kind.columns, map(list, columns), strict=True))
        parameters |= {"hash": [each.hex() for each in missing], "month": month}
        stored = await connection.exec_driver_sql(kind.statement, parameters)
        keys |= {bytes(row.hash): row.key for row in stored}
    return keys


async def create_partitions(connection: AsyncConnection, month: date) -> None:
    """Create the partitions of a month where they are missing. Readers and writers of other months do not wait."""
    if await _has_partitions(connection, month):
        return
    await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": PARTITION_LOCK})
    if await _has_partitions(connection, month):
        return  # another process created them
    after = (month + timedelta(days=31)).replace(day=1)
    for table in PARTITIONED:
        name = partition_name(table, month)
        # Attached afterwards, because creating a partition in place would lock the whole table.
        await connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
        await connection.exec_driver_sql(
            f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{month}') TO ('{after}')"
        )


async def _has_partitions(connection: AsyncConnection, month: date) -> bool:
    # Not to_regclass: it answers from the memory of the session, which does not know yet what was created meanwhile.
    query = "SELECT EXISTS (SELECT FROM pg_class WHERE relname = %(name)s AND pg_table_is_visible(oid))"
    answer = await connection.exec_driver_sql(query, {"name": partition_name(PARTITIONED[-1], month)})
    return bool(answer.scalar())


def partition_name(table: str, month: date) -> str:
    """The name of the partition of a month."""
    return f"{table}_{month:%Y_%m}"


async def contents_by_key(connection: AsyncConnection, kind: Kind, month: date, keys: Iterable[int]) -> Sequence[Any]:
    """The stored contents of these keys, of the month or kept beyond it."""
    unique_keys = sorted({key for key in keys if key})
    if not unique_keys:
        return ()
    stored = await connection.exec_driver_sql(
        f"SELECT {kind.key} AS key, {', '.join(kind.columns)} FROM {kind.table}"  # noqa: S608 - our own names
        f" WHERE {kind.key} = ANY(%(keys)s::bigint[]) AND month IN (%(month)s::date, %(kept)s::date)",
        {"keys": unique_keys, "month": month, "kept": content_rows.KEPT},
    )
    return stored.mappings().all()
