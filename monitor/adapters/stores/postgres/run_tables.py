"""Suites, runs, outcomes and measurements in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.adapters.stores.postgres import rows, schema
from monitor.adapters.stores.postgres.answer_tables import AnswerTables, copy_replies
from monitor.adapters.stores.postgres.connection import copy, encode_json
from monitor.errors import StoreError
from monitor.model.measurements import Measured
from monitor.model.runs import Outcome, Run, RunStatus
from monitor.model.suites import Suite

# Binary COPY takes JSON as encoded bytes.
_OUTCOME_TYPES = ("text", "text", "float8", "text", "text", "bytea", "bytea", "text", "bytea")
_MEASUREMENT_COLUMNS = ("run_id", "measure", "query_id", "value")
_MEASUREMENT_TYPES = ("text", "text", "text", "float8")


class RunTables(AnswerTables):
    """Statements for suites, runs, outcomes and measurements."""

    async def save_suite(self, suite: Suite) -> None:
        """Store the suite under its digest; saving it a second time changes nothing."""
        head, queries = rows.suite_to_rows(suite)
        async with self._transaction() as connection:
            added = await connection.execute(
                upsert(schema.suite).values(head).on_conflict_do_nothing().returning(schema.suite.c.digest)
            )
            if added.first() is not None:
                await connection.execute(insert(schema.suite_query), queries)

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

    async def start_run(self, run: Run) -> None:
        """Store a run before its replay starts."""
        await self._execute(insert(schema.run).values(rows.run_to_row(run)))

    async def save_outcomes(self, run_id: str, outcomes: Sequence[Outcome]) -> None:
        """Commit outcomes of a running run. Raises StoreError for a second outcome of a query."""
        async with self._transaction() as connection:
            await _refuse_closed(connection, run_id)
            await copy(
                connection,
                "outcome",
                rows.OUTCOME_COLUMNS,
                _OUTCOME_TYPES,
                (_row(run_id, outcome) for outcome in outcomes),
            )
            await copy_replies(connection, run_id, outcomes)

    async def finish_run(self, measured: Measured) -> None:
        """Store the measurements and mark the run finished, in one transaction."""
        run = measured.run
        values = (
            (run.run_id, each.measure, query_id, value)
            for each in measured.measurements.values()
            for query_id, value in zip(each.query_ids, each.values.tolist(), strict=True)
        )
        async with self._transaction() as connection:
            await copy(connection, "measurement", _MEASUREMENT_COLUMNS, _MEASUREMENT_TYPES, values)
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
                )
            )
            if finished.rowcount != 1:
                raise StoreError(f"run {run.run_id} is no longer running: another process closed it")

    async def interrupt_run(self, run_id: str, at: datetime) -> bool:
        """Mark a running run interrupted. Returns whether it was still running."""
        closed = await self._first(
            update(schema.run)
            .where(schema.run.c.run_id == run_id, schema.run.c.status == RunStatus.RUNNING)
            .values(status=RunStatus.INTERRUPTED, finished_at=at)
            .returning(schema.run.c.run_id)
        )
        return closed is not None

    async def load_run(self, run_id: str) -> Run:
        """One run with its outcomes. Raises StoreError naming the id if there is none."""
        row = await self._first(select(schema.run).where(schema.run.c.run_id == run_id))
        if row is None:
            raise StoreError(f"no run {run_id}; `recallwatch runs list` prints the latest")
        query = select(schema.outcome).where(schema.outcome.c.run_id == run_id)
        replies = await self._load_replies(run_id, row["judge"]) if row["answers"] else {}
        return rows.run_from_row(row, await self._all(query), replies)

    async def latest_run(self, target: str, suite_name: str, *, before: datetime | None = None) -> Run | None:
        """The latest finished run of a target and suite, without its outcomes."""
        run = schema.run
        query = select(run).where(
            run.c.target == target, run.c.suite_name == suite_name, run.c.status == RunStatus.FINISHED
        )
        if before is not None:
            query = query.where(run.c.started_at < before)
        row = await self._first(query.order_by(run.c.started_at.desc()).limit(1))
        return rows.run_from_row(row) if row else None

    async def count_probes(self, target: str, since: datetime) -> int:
        """Number of probes sent to a target since then, by runs of any status."""
        run, outcome = schema.run, schema.outcome
        runs = select(run.c.run_id).where(run.c.target == target, run.c.started_at >= since)
        counted = select(func.count().label("probes")).select_from(outcome).where(outcome.c.run_id.in_(runs))
        row = await self._first(counted)
        return int(row["probes"]) if row else 0

    async def list_runs(self, limit: int = 50, status: RunStatus | None = None, target: str | None = None) -> list[Run]:
        """Runs without their outcomes, newest first."""
        query = select(schema.run).order_by(schema.run.c.started_at.desc()).limit(limit)
        if status is not None:
            query = query.where(schema.run.c.status == status)
        if target is not None:
            query = query.where(schema.run.c.target == target)
        return [rows.run_from_row(row) for row in await self._all(query)]

    async def find_run_ids(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids of runs that begin with ``prefix``, newest first."""
        run = schema.run
        query = select(run.c.run_id).where(run.c.run_id.startswith(prefix, autoescape=True))
        matches = await self._all(query.order_by(run.c.started_at.desc()).limit(limit))
        return [row["run_id"] for row in matches]


def _row(run_id: str, outcome: Outcome) -> tuple[Any, ...]:
    *head, doc_ids, scores, deployment, sources = rows.outcome_to_row(run_id, outcome)
    return (*head, _json(doc_ids), _json(scores), deployment, _json(sources))


def _json(value: Any) -> bytes | None:
    return None if value is None else encode_json(value)


async def _refuse_closed(connection: AsyncConnection, run_id: str) -> None:
    """Lock the run until the transaction ends. Raises StoreError if it is no longer running."""
    run = schema.run
    held = select(run.c.run_id).where(run.c.run_id == run_id, run.c.status == RunStatus.RUNNING)
    if (await connection.execute(held.with_for_update(read=True))).first() is None:
        raise StoreError(f"run {run_id} is no longer running: another process closed it")
