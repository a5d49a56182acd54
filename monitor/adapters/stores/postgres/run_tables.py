"""Suites and runs in PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from monitor.adapters.stores.postgres import content_schema, rows, schema
from monitor.adapters.stores.postgres.connection import encode_json
from monitor.adapters.stores.postgres.result_tables import ResultTables
from monitor.model.runs import Run, RunStatus
from monitor.model.suites import Suite


class RunTables(ResultTables):
    """Statements for suites and runs."""

    async def save_suite(self, suite: Suite) -> None:
        """Store the suite under its digest; saving it a second time changes nothing."""
        if suite.digest in self._queries:
            return
        head, queries = rows.suite_to_rows(suite)
        async with self._transaction() as connection:
            added = await connection.execute(
                upsert(schema.suite).values(head).on_conflict_do_nothing().returning(schema.suite.c.digest)
            )
            if added.first() is not None:
                await connection.execute(insert(schema.suite_query), queries)
        self._queries.remember(suite.digest, [query.query_id for query in suite.queries])

    async def start_run(self, run: Run) -> Run:
        """Store a run before its replay starts; return it with the declared deployment of its target."""
        row = rows.run_to_row(run)
        async with self._lane() as lane:
            stored = await lane.rows(_INSERT_RUN, row | {"anchors": encode_json(row["anchors"]).decode()})
        self._running.remember(run, stored[0]["run_key"])
        return replace(run, deployment=stored[0]["deployment"])

    async def interrupt_run(self, run_id: str, at: datetime) -> bool:
        """Mark a running run interrupted. Returns whether it was still running."""
        self._running.forget(run_id)
        closed = await self._first(
            update(schema.run)
            .where(schema.run.c.run_id == run_id, schema.run.c.status == RunStatus.RUNNING)
            .values(status=RunStatus.INTERRUPTED, finished_at=at)
            .returning(schema.run.c.run_id)
        )
        return closed is not None

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
        run, block = schema.run, content_schema.outcome_block
        n_probes = func.coalesce(func.sum(func.cardinality(block.c.ordinals)), 0).label("probes")
        counted = select(n_probes).join(run, run.c.run_key == block.c.run_key)
        row = await self._first(counted.where(run.c.target == target, run.c.started_at >= since))
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


_DECLARED = """SELECT name FROM deployment WHERE target = %(target)s
    ORDER BY declared_at DESC, deployment_id DESC LIMIT 1"""
_PLACES = {"anchors": "%(anchors)s::jsonb", "deployment": f"coalesce(nullif(%(deployment)s, ''), ({_DECLARED}), '')"}
_INSERT_RUN = f"""INSERT INTO run ({", ".join(rows.RUN_COLUMNS)})
    VALUES ({", ".join(_PLACES.get(name, f"%({name})s") for name in rows.RUN_COLUMNS)})
    RETURNING run_key, deployment"""  # noqa: S608 - our own names
