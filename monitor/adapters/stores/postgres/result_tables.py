"""The results of runs in PostgreSQL: outcomes in blocks of references, measurements as arrays."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Any

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.adapters.stores.postgres import content_rows, content_schema, rows, schema
from monitor.adapters.stores.postgres.answer_tables import AnswerTables
from monitor.adapters.stores.postgres.connection import DatabaseLimits, encode_json
from monitor.adapters.stores.postgres.content_rows import Content, Hash
from monitor.adapters.stores.postgres.content_tables import (
    ANSWERS,
    MEASURED,
    RANKINGS,
    VALUES,
    Kind,
    KnownKeys,
    contents_by_key,
    create_partitions,
    keys_of,
)
from monitor.errors import NotStoredError, StoreError
from monitor.model.measurements import Measured
from monitor.model.runs import Outcome, Run, RunStatus
from monitor.model.suites import Suite

_TIMELESS = content_rows.KEPT
_LIMITS = DatabaseLimits()


class SuiteQueries:
    """The order of the queries of suites, of those used most recently."""

    MOST = 64

    def __init__(self) -> None:
        self._ids: OrderedDict[str, list[str]] = OrderedDict()
        self._ordinals: dict[str, dict[str, int]] = {}

    def __contains__(self, digest: str) -> bool:
        return digest in self._ids

    def remember(self, digest: str, query_ids: Iterable[str]) -> None:
        """Remember the queries of a stored suite, in their order."""
        self._ids[digest] = list(query_ids)
        self._ordinals[digest] = {query_id: ordinal for ordinal, query_id in enumerate(self._ids[digest])}
        if len(self._ids) > self.MOST:
            del self._ordinals[self._ids.popitem(last=False)[0]]

    def ids(self, digest: str) -> Sequence[str]:
        """The queries in their order."""
        self._ids.move_to_end(digest)
        return self._ids[digest]

    def ordinals(self, digest: str) -> Mapping[str, int]:
        """The place of each query."""
        self._ids.move_to_end(digest)
        return self._ordinals[digest]


class ResultTables(AnswerTables):
    """Statements for outcomes and measurements."""

    def __init__(self, server: AbstractAsyncContextManager[str] | str, limits: DatabaseLimits = _LIMITS) -> None:
        super().__init__(server, limits)
        self._queries = SuiteQueries()
        self._known = KnownKeys()

    async def save_outcomes(self, run_id: str, outcomes: Sequence[Outcome]) -> None:
        """Commit outcomes of a running run. Raises StoreError for a second outcome of a query."""
        if not outcomes:
            return
        async with self._transaction() as connection:
            keys = await self._add_block(connection, run_id, outcomes)
        self._known.learn(keys)  # only what is committed

    def _reset(self) -> None:
        self._known.forget()
        self._queries = SuiteQueries()

    async def _add_block(
        self, connection: AsyncConnection, run_id: str, outcomes: Sequence[Outcome]
    ) -> dict[tuple[str, date, Hash], int]:
        run = await _lock_running(connection, run_id)
        month = content_rows.month_of(run["started_at"])
        ordinals = await self._ordinals(connection, run, outcomes)
        await _refuse_doubles(connection, run, ordinals)
        if month not in self._known.months:
            await create_partitions(connection, month)
        rankings = _hashed(content_rows.ranking_parts(each.ranking) if each.ranking else None for each in outcomes)
        answers = _hashed(
            content_rows.answer_parts(each.reply.answer) if each.reply and each.reply.answer else None
            for each in outcomes
        )
        learned: dict[tuple[str, date, Hash], int] = {}
        keys = []
        for kind, hashed, to_values in (
            (RANKINGS, rankings, content_rows.ranking_values),
            (ANSWERS, answers, content_rows.answer_values),
        ):
            parts = {each[0]: each[1] for each in hashed if each}
            by_hash = await self._keys(connection, kind, month, parts, to_values)
            learned |= {(kind.table, month, each): key for each, key in by_hash.items()}
            keys.append([by_hash[each[0]] if each else 0 for each in hashed])
        block = content_rows.block_to_row(outcomes, ordinals, *keys)
        await connection.exec_driver_sql(_INSERT_BLOCK, {"run_key": run["run_key"], **block})
        return learned

    async def _keys(
        self,
        connection: AsyncConnection,
        kind: Kind,
        month: date,
        parts: Mapping[Hash, Sequence[bytes]],
        to_values: Any,
    ) -> dict[Hash, int]:
        cache = self._known.keys
        keys = {each: cache[kind.table, month, each] for each in parts if (kind.table, month, each) in cache}
        missing = {each: to_values(parts[each]) for each in parts.keys() - keys.keys()}
        return keys | await keys_of(connection, kind, month, missing)

    async def _ordinals(self, connection: AsyncConnection, run: RowMapping, outcomes: Sequence[Outcome]) -> list[int]:
        ordinals = (await self._suite_queries(connection, run["suite_digest"])).ordinals(run["suite_digest"])
        try:
            return [ordinals[each.query_id] for each in outcomes]
        except KeyError as error:
            raise StoreError(f"suite {run['suite_name']} of run {run['run_id']} has no query {error}") from error

    async def _suite_queries(self, connection: AsyncConnection, digest: str) -> SuiteQueries:
        if digest not in self._queries:
            table = schema.suite_query
            query = select(table.c.query_id).where(table.c.digest == digest).order_by(table.c.ordinal)
            self._queries.remember(digest, await connection.scalars(query))
        return self._queries

    async def finish_run(self, measured: Measured) -> None:
        """Store the measurements and mark the run finished, in one transaction."""
        run = measured.run
        async with self._transaction() as connection:
            measured_key = await save_measured(connection, measured)
            finished = await connection.execute(
                update(schema.run)
                .where(schema.run.c.run_id == run.run_id, schema.run.c.status == RunStatus.RUNNING)
                .values(
                    status=RunStatus.FINISHED,
                    finished_at=run.finished_at,
                    fingerprint=run.fingerprint,
                    deployment=run.deployment,
                    corpus=run.corpus,
                    answers=run.answers,
                    answerer=run.answerer,
                    judge=run.judge,
                    anchors=run.anchors,
                    measured_key=measured_key,
                )
            )
            if finished.rowcount != 1:
                raise StoreError(f"run {run.run_id} is no longer running: another process closed it")

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


_COLUMNS = tuple(column.name for column in content_schema.outcome_block.columns)
_JSONB = {"failures", "answer_failures"}
_PLACES = ", ".join(f"%({name})s{'::jsonb' if name in _JSONB else ''}" for name in _COLUMNS)
_INSERT_BLOCK = f"INSERT INTO outcome_block ({', '.join(_COLUMNS)}) VALUES ({_PLACES})"  # noqa: S608 - our own names
_SELECT_BLOCKS = "SELECT * FROM outcome_block WHERE run_key = %(run_key)s ORDER BY first_ordinal"
_SELECT_GRADES = "SELECT grades FROM answer_grade WHERE run_key = %(run_key)s"
_DROPPED_AT = "SELECT dropped_at FROM dropped_month WHERE month = %(month)s"
_DOUBLES = """SELECT 1 FROM (
    SELECT unnest(ordinals) FROM outcome_block WHERE run_key = %(run_key)s INTERSECT SELECT unnest(%(ordinals)s::int[])
) AS doubles LIMIT 1"""


_SELECT_MEASURED = "SELECT value_keys, summary FROM measured JOIN run USING (measured_key) WHERE run_id = %(run_id)s"
_SELECT_VALUES = "SELECT values_key, numbers FROM measurement_values WHERE values_key = ANY(%(keys)s::bigint[])"


def _hashed(contents: Iterable[tuple[bytes, ...] | None]) -> list[tuple[Hash, tuple[bytes, ...]] | None]:
    return [(content_rows.hash_of(*parts), parts) if parts else None for parts in contents]


async def _lock_running(connection: AsyncConnection, run_id: str) -> RowMapping:
    """Lock the run until the transaction ends. Raises StoreError if it is no longer running."""
    run = schema.run
    columns = (run.c.run_id, run.c.run_key, run.c.suite_name, run.c.suite_digest, run.c.started_at)
    running = select(*columns).where(run.c.run_id == run_id, run.c.status == RunStatus.RUNNING)
    row = (await connection.execute(running.with_for_update())).mappings().first()
    if row is None:
        raise StoreError(f"run {run_id} is no longer running: another process closed it")
    return row


async def _dropped_at(connection: AsyncConnection, run: RowMapping) -> datetime:
    """When retention dropped the month of a run. A reference to nothing is an error: it must not look like no hits."""
    month = content_rows.month_of(run["started_at"])
    dropped_at: datetime | None = (await connection.exec_driver_sql(_DROPPED_AT, {"month": month})).scalar()
    if dropped_at is None:
        raise StoreError(f"rankings of run {run['run_id']} are missing: restore the database from a backup")
    return dropped_at


async def _refuse_doubles(connection: AsyncConnection, run: RowMapping, ordinals: Sequence[int]) -> None:
    parameters = {"run_key": run["run_key"], "ordinals": list(ordinals)}
    stored = await connection.exec_driver_sql(_DOUBLES, parameters)
    if len(set(ordinals)) != len(ordinals) or stored.first() is not None:
        raise StoreError(f"run {run['run_id']} already has an outcome for one of these queries")


async def save_measured(connection: AsyncConnection, measured: Measured) -> int:
    """Store the measurements of a run as far as no run before had the same, and return their key."""
    arrays = content_rows.aligned_values(measured)
    hashes = {name: content_rows.hash_of(values.tobytes()) for name, values in arrays.items()}
    literals: dict[Hash, Content] = {
        hashes[name]: ("{" + ",".join(map(repr, values.tolist())) + "}",) for name, values in arrays.items()
    }
    keys = await keys_of(connection, VALUES, _TIMELESS, literals)
    value_keys = encode_json({name: keys[each] for name, each in sorted(hashes.items())})
    summary = encode_json(content_rows.summary_of(measured))
    measured_hash = content_rows.hash_of(value_keys, summary)
    stored = await keys_of(connection, MEASURED, _TIMELESS, {measured_hash: (value_keys.decode(), summary.decode())})
    return stored[measured_hash]
