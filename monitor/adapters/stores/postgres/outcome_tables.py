"""The outcomes and measurements of a running run in PostgreSQL, as references to contents that are stored once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.adapters.stores.postgres import content_rows, content_schema, schema
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
    create_partitions,
    keys_of,
)
from monitor.errors import StoreError
from monitor.model.measurements import Floats, Measured
from monitor.model.runs import Outcome, Run, RunStatus

_TIMELESS = content_rows.KEPT
_LIMITS = DatabaseLimits()
Key = tuple[str, date, Hash]
"""Table, month and hash of a content."""
Hashed = list[tuple[Hash, tuple[bytes, ...]] | None]


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


@dataclass(frozen=True, slots=True)
class RunningRun:
    """A running run, as far as its blocks refer to it."""

    run_key: int
    suite_digest: str
    suite_name: str
    started_at: datetime


class RunningRuns:
    """The runs that this process began and did not finish, of those begun most recently."""

    MOST = 4_096

    def __init__(self) -> None:
        self._runs: OrderedDict[str, RunningRun] = OrderedDict()

    def remember(self, run: Run, run_key: int) -> None:
        """Remember a run that was stored."""
        self._runs[run.run_id] = RunningRun(run_key, run.suite_digest, run.suite_name, run.started_at)
        if len(self._runs) > self.MOST:
            self._runs.popitem(last=False)

    def find(self, run_id: str) -> RunningRun | None:
        """The run; None if this process did not begin it."""
        return self._runs.get(run_id)

    def forget(self, run_id: str) -> None:
        """Forget a run that is no longer running."""
        self._runs.pop(run_id, None)


class OutcomeTables(AnswerTables):
    """Statements that write outcomes and measurements.

    While nothing changes, every content is known and committed: a block is then written in one round trip. Whatever is
    not as expected takes the other path, which adds the contents that are missing and names problems.
    """

    def __init__(self, server: AbstractAsyncContextManager[str] | str, limits: DatabaseLimits = _LIMITS) -> None:
        super().__init__(server, limits)
        self._queries = SuiteQueries()
        self._known = KnownKeys()
        self._running = RunningRuns()

    def _reset(self) -> None:
        self._known.forget()
        self._queries = SuiteQueries()
        self._running = RunningRuns()

    async def save_outcomes(self, run_id: str, outcomes: Sequence[Outcome]) -> None:
        """Commit outcomes of a running run. Raises StoreError for a second outcome of a query."""
        if not outcomes or await self._add_known(run_id, outcomes):
            return
        async with self._transaction() as connection:
            keys = await self._add_block(connection, run_id, outcomes)
        self._known.learn(keys)  # only what is committed

    async def _add_known(self, run_id: str, outcomes: Sequence[Outcome]) -> bool:
        """Add a block whose contents are all known; False, with nothing added, if something is not as expected."""
        run = self._running.find(run_id)
        if run is None or run.suite_digest not in self._queries:
            return False
        places, month = self._queries.ordinals(run.suite_digest), content_rows.month_of(run.started_at)
        ordinals = [places.get(each.query_id, -1) for each in outcomes]
        rankings, answers = _contents(outcomes)
        keys = [self._known.of(RANKINGS, month, rankings), self._known.of(ANSWERS, month, answers)]
        if -1 in ordinals or len(set(ordinals)) < len(ordinals) or keys[0] is None or keys[1] is None:
            return False
        block = {"run_key": run.run_key, **content_rows.block_to_row(outcomes, ordinals, keys[0], keys[1])}
        async with self._lane() as lane:
            _, added = await lane.together([(_LOCK_RUNNING, {"run_key": run.run_key}), (_INSERT_NEW_BLOCK, block)])
        return bool(added)

    async def _add_block(self, connection: AsyncConnection, run_id: str, outcomes: Sequence[Outcome]) -> dict[Key, int]:
        run = await _lock_running(connection, run_id)
        month = content_rows.month_of(run["started_at"])
        ordinals = await self._ordinals(connection, run, outcomes)
        await _refuse_doubles(connection, run, ordinals)
        if month not in self._known.months:
            await create_partitions(connection, month)
        learned: dict[Key, int] = {}
        keys = []
        for kind, contents in zip((RANKINGS, ANSWERS), _contents(outcomes), strict=True):
            by_hash = await self._keys(connection, kind, month, {each[0]: each[1] for each in contents if each})
            learned |= {(kind.table, month, each): key for each, key in by_hash.items()}
            keys.append([by_hash[each[0]] if each else 0 for each in contents])
        block = content_rows.block_to_row(outcomes, ordinals, *keys)
        await connection.exec_driver_sql(_INSERT_BLOCK, {"run_key": run["run_key"], **block})
        return learned

    async def _keys(
        self, connection: AsyncConnection, kind: Kind, month: date, parts: Mapping[Hash, Sequence[bytes]]
    ) -> dict[Hash, int]:
        cache, to_values = self._known.keys, _TO_VALUES[kind.table]
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
        queries = self._queries  # a failure elsewhere may begin another memory while this one waits
        if digest not in queries:
            table = schema.suite_query
            query = select(table.c.query_id).where(table.c.digest == digest).order_by(table.c.ordinal)
            queries.remember(digest, await connection.scalars(query))
        return queries

    async def finish_run(self, measured: Measured) -> None:
        """Store the measurements and mark the run finished, in one transaction."""
        run = measured.run
        arrays = content_rows.aligned_values(measured)
        hashes = {name: content_rows.hash_of(values.tobytes()) for name, values in arrays.items()}
        summary = encode_json(content_rows.summary_of(measured))
        value_keys = {each: self._known.keys.get((VALUES.table, _TIMELESS, each)) for each in hashes.values()}
        measured_key = self._known.keys.get((MEASURED.table, _TIMELESS, _measured_of(hashes, value_keys, summary)[0]))
        if measured_key is None:
            await self._finish_with_contents(
                run, {hashes[name]: each for name, each in arrays.items()}, hashes, summary
            )
        else:
            async with self._lane() as lane:
                _require_running(await lane.rows(_FINISH_RUN, _ending(run, measured_key)), run.run_id)
        self._running.forget(run.run_id)

    async def _finish_with_contents(
        self, run: Run, arrays: Mapping[Hash, Floats], hashes: Mapping[str, Hash], summary: bytes
    ) -> None:
        """Finish a run of which some measurements may not be stored yet."""
        literals: dict[Hash, Content] = {
            each: ("{" + ",".join(map(repr, values.tolist())) + "}",) for each, values in arrays.items()
        }
        async with self._transaction() as connection:
            stored = await keys_of(connection, VALUES, _TIMELESS, literals)
            measured_hash, value_keys = _measured_of(hashes, stored, summary)
            content = {measured_hash: (value_keys.decode(), summary.decode())}
            measured_key = (await keys_of(connection, MEASURED, _TIMELESS, content))[measured_hash]
            finished = await connection.exec_driver_sql(_FINISH_RUN, _ending(run, measured_key))
            _require_running(finished.all(), run.run_id)
        self._known.learn({(VALUES.table, _TIMELESS, each): key for each, key in stored.items()})
        self._known.learn({(MEASURED.table, _TIMELESS, measured_hash): measured_key})


_TO_VALUES = {RANKINGS.table: content_rows.ranking_values, ANSWERS.table: content_rows.answer_values}
_COLUMNS = tuple(column.name for column in content_schema.outcome_block.columns)
_JSONB = {"failures": "jsonb", "answer_failures": "jsonb"}
_ARRAYS = {
    "ordinals": "int[]", "ranking_keys": "bigint[]", "durations": "float8[]", "answer_keys": "bigint[]",
    "answer_durations": "float8[]",
}  # fmt: skip
_PLACES = ", ".join(f"%({name})s{f'::{kind}' if (kind := (_JSONB | _ARRAYS).get(name)) else ''}" for name in _COLUMNS)
_INSERT_BLOCK = f"INSERT INTO outcome_block ({', '.join(_COLUMNS)}) VALUES ({_PLACES})"  # noqa: S608 - our own names
_LOCK_RUNNING = "SELECT FROM run WHERE run_key = %(run_key)s AND status = 'running' FOR UPDATE"
# In a transaction that locked the run before, so that a block of another connection is seen.
_INSERT_NEW_BLOCK = f"""INSERT INTO outcome_block ({", ".join(_COLUMNS)}) SELECT {_PLACES}
    WHERE EXISTS (SELECT FROM run WHERE run_key = %(run_key)s AND status = 'running') AND NOT EXISTS (
        SELECT FROM outcome_block WHERE run_key = %(run_key)s AND ordinals && %(ordinals)s::int[]
    ) RETURNING run_key"""  # noqa: S608 - our own names
_ENDING = {
    "status": "", "finished_at": "", "fingerprint": "", "deployment": "", "corpus": "", "answers": "", "answerer": "",
    "judge": "", "anchors": "::jsonb", "measured_key": "",
}  # fmt: skip
_FINISH_RUN = f"""UPDATE run SET {", ".join(f"{name} = %({name})s{cast}" for name, cast in _ENDING.items())}
    WHERE run_id = %(run_id)s AND status = 'running' RETURNING run_key"""  # noqa: S608 - our own names
_DOUBLES = """SELECT 1 FROM (
    SELECT unnest(ordinals) FROM outcome_block WHERE run_key = %(run_key)s INTERSECT SELECT unnest(%(ordinals)s::int[])
) AS doubles LIMIT 1"""


def _ending(run: Run, measured_key: int) -> dict[str, Any]:
    values = {name: getattr(run, name) for name in _ENDING if name != "measured_key"}
    anchors = encode_json(run.anchors).decode()
    status = str(RunStatus.FINISHED)
    return values | {"status": status, "anchors": anchors, "measured_key": measured_key, "run_id": run.run_id}


def _measured_of(hashes: Mapping[str, Hash], keys: Mapping[Hash, int | None], summary: bytes) -> tuple[Hash, bytes]:
    """The address of everything that was measured of a run, and the keys of its arrays by measure."""
    value_keys = encode_json({name: keys[each] for name, each in sorted(hashes.items())})
    return content_rows.hash_of(value_keys, summary), value_keys


def _contents(outcomes: Sequence[Outcome]) -> tuple[Hashed, Hashed]:
    """The rankings and the answers of outcomes, each with its address; None where there is none."""
    rankings = _hashed(content_rows.ranking_parts(each.ranking) if each.ranking else None for each in outcomes)
    answers = _hashed(
        content_rows.answer_parts(each.reply.answer) if each.reply and each.reply.answer else None for each in outcomes
    )
    return rankings, answers


def _hashed(contents: Iterable[tuple[bytes, ...] | None]) -> Hashed:
    return [(content_rows.hash_of(*parts), parts) if parts else None for parts in contents]


async def _lock_running(connection: AsyncConnection, run_id: str) -> RowMapping:
    """Lock the run until the transaction ends. Raises StoreError if it is no longer running."""
    run = schema.run
    columns = (run.c.run_id, run.c.run_key, run.c.suite_name, run.c.suite_digest, run.c.started_at)
    running = select(*columns).where(run.c.run_id == run_id, run.c.status == RunStatus.RUNNING)
    row = (await connection.execute(running.with_for_update())).mappings().first()
    if row is None:
        raise _closed(run_id)
    return row


def _require_running(finished: Sequence[Any], run_id: str) -> None:
    if not finished:
        raise _closed(run_id)


def _closed(run_id: str) -> StoreError:
    return StoreError(f"run {run_id} is no longer running: another process closed it")


async def _refuse_doubles(connection: AsyncConnection, run: RowMapping, ordinals: Sequence[int]) -> None:
    parameters = {"run_key": run["run_key"], "ordinals": list(ordinals)}
    stored = await connection.exec_driver_sql(_DOUBLES, parameters)
    if len(set(ordinals)) != len(ordinals) or stored.first() is not None:
        raise StoreError(f"run {run['run_id']} already has an outcome for one of these queries")
