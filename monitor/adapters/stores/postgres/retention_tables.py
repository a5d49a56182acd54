"""Retention in PostgreSQL: monthly partitions, made ahead and dropped.

A month is dropped in three steps, each a transaction, so that a process killed at any time loses nothing:

1. Complete the stored counts of runs of the month that an earlier version measured.
2. Copy the rankings and answers of runs that keep theirs to the partition of kept contents.
3. Lock the tables for a moment, check that step 2 still covers every such run, and drop the partitions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from psycopg.errors import LockNotAvailable
from sqlalchemy import delete, insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.adapters.stores.postgres import content_rows, content_schema
from monitor.adapters.stores.postgres.connection import encode_json
from monitor.adapters.stores.postgres.content_tables import PARTITIONED, create_partitions, partition_name
from monitor.adapters.stores.postgres.run_tables import RunTables
from monitor.errors import StoreError
from monitor.evaluation.scoring import measure
from monitor.model.retention import MonthOfResults, Pin

MONTHS_AHEAD = 2
ATTEMPTS, LOCK_WAIT_MS = 20, 200
"""Attempts to lock the tables, and the wait of each; other statements wait no longer behind it."""

_MONTH = "date_trunc('month', run.started_at AT TIME ZONE 'UTC')::date"
# Runs that keep their rankings: current baselines, pinned runs, baselines and verdicts of active incidents, and those
# that change detection compares the next run with.
_KEPT_RUNS = """
    SELECT run_id FROM baseline WHERE retired_at IS NULL
    UNION SELECT run_id FROM pinned_run
    UNION SELECT jsonb_array_elements_text(baseline_run_ids) FROM incident
        WHERE status IN ('suspected', 'open', 'acknowledged')
    UNION SELECT jsonb_array_elements_text(verdict.run_ids || verdict.baseline_run_ids) FROM incident
        JOIN verdict
            ON verdict.target = incident.target AND verdict.decided_at IN (incident.opened_at, incident.fired_at)
        WHERE status IN ('suspected', 'open', 'acknowledged')
    UNION SELECT state ->> 'run_id' FROM detector_state
    UNION SELECT judged.value ->> 'previous_run_id' FROM detector_state, jsonb_each(state -> 'judged') AS judged"""
_KEPT_KEYS = {
    "ranking": f"""SELECT DISTINCT unnest(ranking_keys) AS key FROM run JOIN outcome_block USING (run_key)
        WHERE run_id IN ({_KEPT_RUNS}) AND {_MONTH} = %(month)s""",  # noqa: S608 - our own names
    "answer_content": f"""SELECT DISTINCT unnest(answer_keys) AS key FROM run JOIN outcome_block USING (run_key)
        WHERE run_id IN ({_KEPT_RUNS}) AND {_MONTH} = %(month)s""",  # noqa: S608 - our own names
}
_KEY = {"ranking": "ranking_key", "answer_content": "answer_key"}
_CONTENT = {"ranking": content_rows.RANKING_COLUMNS, "answer_content": content_rows.ANSWER_COLUMNS}
_PARTITIONS = """SELECT relid::regclass::text AS name, to_date(right(relid::regclass::text, 7), 'YYYY_MM') AS month
    FROM pg_partition_tree('ranking') WHERE isleaf AND relid::regclass::text <> 'ranking_kept'"""
_SIZES = """SELECT relname AS table,
        (SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM pg_partition_tree(oid))
        + CASE relkind WHEN 'r' THEN pg_total_relation_size(oid) ELSE 0 END AS bytes
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"""
_COUNTS = f"""SELECT count(*) AS runs, count(*) FILTER (WHERE run_id IN ({_KEPT_RUNS})) AS kept_runs
    FROM run WHERE {_MONTH} = %(month)s"""  # noqa: S608 - our own names
_WITHOUT_SUMMARY = f"""SELECT run_id, measured_key FROM run JOIN measured USING (measured_key)
    WHERE summary IS NULL AND {_MONTH} = %(month)s"""  # noqa: S608 - our own names


class RetentionTables(RunTables):
    """Statements for partitions, pins and sizes."""

    async def prepare_months(self, now: datetime) -> None:
        """Create the partitions of this month and of the following ones."""
        month = content_rows.month_of(now)
        for _ in range(1 + MONTHS_AHEAD):
            async with self._transaction() as connection:
                await create_partitions(connection, month)
            month = _next(month)

    async def months_before(self, day: date) -> list[MonthOfResults]:
        """The stored months that end before a day, oldest first."""
        async with self._transaction() as connection:
            stored = await connection.exec_driver_sql(f"SELECT month FROM ({_PARTITIONS}) AS partitions ORDER BY month")  # noqa: S608 - our own names
            months = [row.month for row in stored if _next(row.month) <= day]
            return [await _describe(connection, month) for month in months]

    async def drop_month(self, month: date, at: datetime) -> bool:
        """Drop the rankings and answers of a month, except those of runs that keep theirs.

        Measurements, verdicts, counts, failures and grades stay. Returns False if other work holds the tables for long;
        nothing is dropped then.
        """
        await self._complete_summaries(month)
        for _ in range(ATTEMPTS):
            async with self._transaction() as connection:
                described = await _describe(connection, month)
                await _copy_kept(connection, month)
            try:
                async with self._transaction() as connection:
                    await _drop(connection, described, at)
                    return True
            except StoreError as error:
                if not _is_lock_timeout(error):
                    raise
            await asyncio.sleep(LOCK_WAIT_MS / 1_000)
        return False

    async def _complete_summaries(self, month: date) -> None:
        """Store the counts and labels of runs that were measured before recallwatch stored them."""
        async with self._transaction() as connection:
            stored = (await connection.exec_driver_sql(_WITHOUT_SUMMARY, {"month": month})).all()
        for run_id, measured_key in map(tuple, stored):
            run = await self.load_run(run_id)
            if run.dropped_at is None:
                summary = content_rows.summary_of(measure(run, await self.load_suite(run.suite_digest)))
                async with self._transaction() as connection:
                    await _add_summary(connection, run_id, measured_key, encode_json(summary))

    async def pin_run(self, pin: Pin) -> None:
        """Keep the rankings and answers of a run for ever. Raises StoreError if they were dropped before."""
        table = content_schema.pinned_run
        async with self._transaction() as connection:
            await connection.execute(delete(table).where(table.c.run_id == pin.run_id))
            await connection.execute(
                insert(table).values(
                    run_id=pin.run_id, pinned_by=pin.pinned_by, reason=pin.reason, pinned_at=pin.pinned_at
                )
            )
            # Under the lock of the new row, which keeps retention from dropping the month now.
            if (run := await self._load_run(connection, pin.run_id)).dropped_at:
                raise StoreError(f"the rankings of run {pin.run_id} were dropped on {run.dropped_at:%Y-%m-%d}")

    async def unpin_run(self, run_id: str) -> bool:
        """Remove the pin of a run; False if it has none."""
        table = content_schema.pinned_run
        removed = await self._first(delete(table).where(table.c.run_id == run_id).returning(table.c.run_id))
        return removed is not None

    async def table_sizes(self) -> Mapping[str, int]:
        """Bytes of every table with its indexes; a partitioned table counts its partitions."""
        async with self._transaction() as connection:
            return {row.table: int(row.bytes) for row in await connection.exec_driver_sql(_SIZES)}


async def _size_of(connection: AsyncConnection, partition: str) -> tuple[int, int]:
    """Rows and bytes of a partition."""
    count = f"SELECT count(*), coalesce(max(pg_total_relation_size('{partition}')), 0) FROM {partition}"  # noqa: S608 - our own names
    n_rows, n_bytes = tuple((await connection.exec_driver_sql(count)).one())
    return n_rows, n_bytes


async def _describe(connection: AsyncConnection, month: date) -> MonthOfResults:
    counts = (await connection.exec_driver_sql(_COUNTS, {"month": month})).one()
    (n_rankings, ranking_bytes), (n_answers, answer_bytes) = [
        await _size_of(connection, partition_name(table, month)) for table in PARTITIONED
    ]
    return MonthOfResults(
        month=month,
        rankings=n_rankings,
        answers=n_answers,
        size_bytes=ranking_bytes + answer_bytes,
        runs=counts.runs,
        kept_runs=counts.kept_runs,
    )


async def _copy_kept(connection: AsyncConnection, month: date) -> None:
    for table in PARTITIONED:
        columns = ", ".join(_CONTENT[table])
        # Kept contents are found by key alone; the same content of two months has two keys.
        await connection.exec_driver_sql(
            f"INSERT INTO {table} (month, {_KEY[table]}, hash, {columns})"  # noqa: S608 - our own names
            f" SELECT %(kept)s, {_KEY[table]}, md5({_KEY[table]}::text)::uuid, {columns} FROM {table}"
            f" WHERE month = %(month)s AND {_KEY[table]} IN ({_KEPT_KEYS[table]}) ON CONFLICT DO NOTHING",
            {"month": month, "kept": content_rows.KEPT},
        )


async def _drop(connection: AsyncConnection, month: MonthOfResults, at: datetime) -> None:
    """Drop the partitions of a month, and record it. Raises the error of a lock that others hold for long."""
    await connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
    # Promotions and pins wait, so that no run becomes one that keeps its rankings after they were copied.
    await connection.exec_driver_sql("LOCK TABLE baseline, pinned_run, incident IN SHARE ROW EXCLUSIVE MODE")
    await connection.exec_driver_sql(f"LOCK TABLE {', '.join(PARTITIONED)} IN ACCESS EXCLUSIVE MODE")
    await _copy_kept(connection, month.month)
    await connection.execute(
        insert(content_schema.dropped_month).values(
            month=month.month, dropped_at=at, rankings=month.rankings, answers=month.answers, bytes=month.size_bytes
        )
    )
    for table in PARTITIONED:
        name = partition_name(table, month.month)
        await connection.exec_driver_sql(f"ALTER TABLE {table} DETACH PARTITION {name}")
        await connection.exec_driver_sql(f"DROP TABLE {name}")


async def _add_summary(connection: AsyncConnection, run_id: str, measured_key: int, summary: bytes) -> None:
    """Give a run the same measurements with a summary."""
    parameters: dict[str, Any] = {"key": measured_key, "summary": summary.decode(), "run_id": run_id}
    parameters["hash"] = content_rows.hash_of(str(measured_key).encode(), summary).hex()
    await connection.exec_driver_sql(
        "INSERT INTO measured (hash, value_keys, summary) SELECT %(hash)s::uuid, value_keys, %(summary)s::jsonb"
        " FROM measured WHERE measured_key = %(key)s ON CONFLICT DO NOTHING",
        parameters,
    )
    await connection.exec_driver_sql(
        "UPDATE run SET measured_key = (SELECT measured_key FROM measured WHERE hash = %(hash)s::uuid)"
        " WHERE run_id = %(run_id)s",
        parameters,
    )


def _is_lock_timeout(error: StoreError) -> bool:
    cause = error.__cause__
    return isinstance(cause, OperationalError) and isinstance(cause.orig, LockNotAvailable)


def _next(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)
