"""Baselines, swaps, verdicts, incidents and queued alerts in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Select, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.adapters.stores.postgres import rows, schema
from monitor.adapters.stores.postgres.incident_tables import IncidentTables, OvertakenError, write_incident
from monitor.adapters.stores.postgres.vector_rows import snapshot_from_json, snapshot_to_json
from monitor.errors import StoreError
from monitor.model.decisions import Decision
from monitor.model.deployments import Baseline, Deployment, Swap
from monitor.model.noise import DetectorState
from monitor.model.runs import Run
from monitor.model.snapshots import Snapshot
from monitor.model.verdicts import Verdict


class DecisionTables(IncidentTables):
    """Statements for baselines, deployments, swaps and verdicts."""

    async def promote(self, baseline: Baseline) -> None:
        """Make a finished run the baseline; earlier baselines stay on record."""
        table = schema.baseline
        async with self._transaction() as connection:
            await connection.execute(
                update(table)
                .where(
                    table.c.target == baseline.target,
                    table.c.suite_name == baseline.suite_name,
                    table.c.retired_at.is_(None),
                )
                .values(retired_at=baseline.promoted_at)
            )
            await connection.execute(insert(table).values(asdict(baseline)))

    async def baseline(self, target: str, suite_name: str) -> Baseline | None:
        """The current baseline."""
        table = schema.baseline
        row = await self._first(_current_baselines().where(table.c.target == target, table.c.suite_name == suite_name))
        return rows.baseline_from_row(row) if row else None

    async def baselines(self) -> list[Baseline]:
        """Every current baseline."""
        return [rows.baseline_from_row(row) for row in await self._all(_current_baselines())]

    async def detector_state(self, target: str, suite_name: str) -> DetectorState | None:
        """The state of change detection for a target and suite."""
        table = schema.detector_state
        row = await self._first(select(table).where(table.c.target == target, table.c.suite_name == suite_name))
        return rows.detector_state_from_row(row) if row else None

    async def save_deployment(self, deployment: Deployment) -> None:
        """Store the declaration of a deployment."""
        await self._execute(insert(schema.deployment).values(asdict(deployment)))

    async def deployments(self, target: str | None = None, limit: int = 50) -> list[Deployment]:
        """Declared deployments, newest first."""
        table = schema.deployment
        query = select(table).order_by(table.c.declared_at.desc(), table.c.deployment_id.desc()).limit(limit)
        stored = await self._all(query if target is None else query.where(table.c.target == target))
        return [Deployment(**{each.name: row[each.name] for each in fields(Deployment)}) for row in stored]

    async def snapshot(self, target: str, suite_name: str) -> Snapshot | None:
        """The latest vectors of the canaries, without rankings, which are stored with the run."""
        table = schema.snapshot
        row = await self._first(select(table).where(table.c.target == target, table.c.suite_name == suite_name))
        return snapshot_from_json(row["state"]) if row else None

    async def latest_swap(self, target: str, suite_names: Sequence[str]) -> Swap | None:
        """The latest change of the deployment of a target that was detected in one of these suites."""
        table = schema.swap
        row = await self._first(
            select(table)
            .where(table.c.target == target, table.c.suite_name.in_(suite_names))
            .order_by(table.c.detected_at.desc())
            .limit(1)
        )
        return rows.swap_from_row(row) if row else None

    async def save_decision(self, decision: Decision) -> bool:
        """Store everything one cycle decided, in one transaction; False if another process was first."""
        try:
            async with self._transaction() as connection:
                for suite_name, state in decision.states.items():
                    await _save_state(connection, decision.verdict.target, suite_name, state)
                for swap in decision.swaps:
                    await connection.execute(upsert(schema.swap).values(asdict(swap)).on_conflict_do_nothing())
                for run, snapshot in decision.snapshots:
                    await _save_snapshot(connection, run, snapshot)
                await connection.execute(insert(schema.verdict).values(rows.verdict_to_row(decision.verdict)))
                if decision.incident is not None:
                    await write_incident(connection, decision.incident, decision.alerts)
        except OvertakenError:
            return False
        return True

    async def load_verdict(self, verdict_id: str) -> Verdict:
        """One verdict. Raises StoreError naming the id if there is none."""
        row = await self._first(select(schema.verdict).where(schema.verdict.c.verdict_id == verdict_id))
        if row is None:
            raise StoreError(f"no verdict {verdict_id}; `recallwatch verdicts list` prints the latest")
        return rows.verdict_from_row(row)

    async def list_verdicts(self, limit: int = 50, target: str | None = None) -> list[Verdict]:
        """Verdicts, newest first."""
        query = select(schema.verdict).order_by(schema.verdict.c.decided_at.desc()).limit(limit)
        if target is not None:
            query = query.where(schema.verdict.c.target == target)
        return [rows.verdict_from_row(row) for row in await self._all(query)]

    async def find_verdict_ids(self, prefix: str = "", limit: int | None = None) -> list[str]:
        """The ids of verdicts that begin with ``prefix``, newest first; without a limit all of them."""
        verdict = schema.verdict
        query = select(verdict.c.verdict_id).where(verdict.c.verdict_id.startswith(prefix, autoescape=True))
        matches = await self._all(query.order_by(verdict.c.decided_at.desc()).limit(limit))
        return [row["verdict_id"] for row in matches]

    async def latest_verdict(self, target: str) -> Verdict | None:
        """The latest verdict about a target."""
        table = schema.verdict
        row = await self._first(
            select(table).where(table.c.target == target).order_by(table.c.decided_at.desc()).limit(1)
        )
        return rows.verdict_from_row(row) if row else None


def _current_baselines() -> Select[Any]:
    return select(schema.baseline).where(schema.baseline.c.retired_at.is_(None))


async def _save_state(connection: AsyncConnection, target: str, suite_name: str, state: DetectorState) -> None:
    """Write the next revision of a detector state. Raises OvertakenError unless it follows the stored one."""
    table = schema.detector_state
    values = {"state": rows.detector_state_to_json(state), "revision": state.revision}
    row = {"target": target, "suite_name": suite_name, **values}
    statement: Any = (
        upsert(table).values(row).on_conflict_do_nothing()
        if state.revision == 1
        else update(table)
        .where(table.c.target == target, table.c.suite_name == suite_name, table.c.revision == state.revision - 1)
        .values(values)
    )
    if (await connection.execute(statement.returning(table.c.target))).first() is None:
        raise OvertakenError


async def _save_snapshot(connection: AsyncConnection, run: Run, snapshot: Snapshot) -> None:
    """Store the vectors that a run's canaries returned, in place of those before."""
    values = {"run_id": run.run_id, "state": snapshot_to_json(snapshot)}
    added = upsert(schema.snapshot).values(target=run.target, suite_name=run.suite_name, **values)
    await connection.execute(added.on_conflict_do_update(index_elements=["target", "suite_name"], set_=values))
