"""The results of runs in PostgreSQL, read from blocks of references and arrays of measurements."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.adapters.stores.postgres import content_rows, rows, schema
from monitor.adapters.stores.postgres.content_tables import ANSWERS, RANKINGS, contents_by_key
from monitor.adapters.stores.postgres.outcome_tables import OutcomeTables
from monitor.errors import NotStoredError, StoreError
from monitor.model.measurements import Measured
from monitor.model.runs import Run
from monitor.model.suites import Suite


class ResultTables(OutcomeTables):
    """Statements that read outcomes and measurements."""

    async def load_run(self, run_id: str) -> Run:
        """One run with its outcomes. Raises StoreError naming the id if there is none."""
        async with self._transaction() as connection:
            return await self._load_run(connection, run_id)

    async def _load_run(self, connection: AsyncConnection, run_id: str) -> Run:
        stored = await connection.execute(select(schema.run).where(schema.run.c.run_id == run_id))
        row = stored.mappings().first()
        if row is None:
            raise NotStoredError(f"no run {run_id}; `recallwatch runs list` prints the latest")
        return await self._with_outcomes(connection, row)

    async def _with_outcomes(self, connection: AsyncConnection, row: RowMapping) -> Run:
        digest, run_key = row["suite_digest"], row["run_key"]
        month = content_rows.month_of(row["started_at"])
        stored = await connection.exec_driver_sql(_SELECT_BLOCKS, {"run_key": run_key})
        blocks = stored.mappings().all()
        ranking_keys = {key for block in blocks for key in block["ranking_keys"]}
        answer_keys = {key for block in blocks for key in block["answer_keys"] or ()}
        rankings = await contents_by_key(connection, RANKINGS, month, ranking_keys)
        answers = await contents_by_key(connection, ANSWERS, month, answer_keys)
        grades = await connection.exec_driver_sql(_SELECT_GRADES, {"run_key": run_key}) if answer_keys else None
        contents = content_rows.Contents(
            query_ids=(await self._suite_queries(connection, digest)).ids(digest),
            rankings={each["key"]: content_rows.ranking_from_row(each) for each in rankings},
            answers={each["key"]: content_rows.answer_from_row(each) for each in answers},
            grades=(grades.scalar() if grades else None) or {},
            judge=row["judge"],
        )
        is_dropped = len(contents.rankings) < len(ranking_keys - {0}) or len(contents.answers) < len(answer_keys - {0})
        dropped_at = await _dropped_at(connection, row) if is_dropped else None
        outcomes = content_rows.outcomes_from_rows(map(dict, blocks), contents)
        return rows.run_from_row(dict(row), outcomes, dropped_at)

    async def load_suite(self, digest: str) -> Suite:
        """The version of a suite with this digest."""
        queries = schema.suite_query
        head = await self._first(select(schema.suite).where(schema.suite.c.digest == digest))
        if head is None:
            raise StoreError(f"no suite with digest {digest}")
        return rows.suite_from_rows(
            head,
            await self._all(select(queries).where(queries.c.digest == digest).order_by(queries.c.ordinal)),
        )

    async def load_measured(self, run_id: str) -> Measured:
        """A finished run as it was measured when it finished, also after retention dropped its rankings."""
        run = await self.load_run(run_id)
        suite = await self.load_suite(run.suite_digest)
        async with self._transaction() as connection:
            stored = (await connection.exec_driver_sql(_SELECT_MEASURED, {"run_id": run_id})).mappings().first()
            if stored is None or stored["summary"] is None:
                raise StoreError(f"run {run_id} has no stored measurements")
            keys = {"keys": list(stored["value_keys"].values())}
            arrays = {row.values_key: row.numbers for row in await connection.exec_driver_sql(_SELECT_VALUES, keys)}
        values = {name: arrays[key] for name, key in stored["value_keys"].items()}
        return content_rows.measured_from_rows(run, suite, values, stored["summary"])


_SELECT_BLOCKS = "SELECT * FROM outcome_block WHERE run_key = %(run_key)s ORDER BY first_ordinal"
_SELECT_GRADES = "SELECT grades FROM answer_grade WHERE run_key = %(run_key)s"
_DROPPED_AT = "SELECT dropped_at FROM dropped_month WHERE month = %(month)s"
_SELECT_MEASURED = "SELECT value_keys, summary FROM measured JOIN run USING (measured_key) WHERE run_id = %(run_id)s"
_SELECT_VALUES = "SELECT values_key, numbers FROM measurement_values WHERE values_key = ANY(%(keys)s::bigint[])"


async def _dropped_at(connection: AsyncConnection, run: RowMapping) -> datetime:
    """When retention dropped the month of a run. A reference to nothing is an error: it must not look like no hits."""
    month = content_rows.month_of(run["started_at"])
    dropped_at: datetime | None = (await connection.exec_driver_sql(_DROPPED_AT, {"month": month})).scalar()
    if dropped_at is None:
        raise StoreError(f"rankings of run {run['run_id']} are missing: restore the database from a backup")
    return dropped_at
