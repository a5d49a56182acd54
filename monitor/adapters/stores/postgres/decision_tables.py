"""Baselines, swaps, verdicts, incidents and queued alerts in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Select, insert, select, union_all, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.adapters.stores.postgres import rows, schema
from monitor.adapters.stores.postgres.connection import encode_json
from monitor.adapters.stores.postgres.incident_tables import IncidentTables, OvertakenError, write_incident
from monitor.adapters.stores.postgres.vector_rows import snapshot_from_json, snapshot_to_json
from monitor.errors import StoreError
from monitor.model.decisions import Decision, Revisions
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
        if decision.repeats and not (decision.incident or decision.swaps or decision.snapshots):
            return await self._save_repetition(decision)
        try:
            async with self._transaction() as connection:
                for suite_name, state in decision.states.items():
                    await _save_state(connection, decision.verdict.target, suite_name, state)
                for swap in decision.swaps:
                    await connection.execute(upsert(schema.swap).values(asdict(swap)).on_conflict_do_nothing())
                for run, snapshot in decision.snapshots:
                    await _save_snapshot(connection, run, snapshot)
                await _save_verdict(connection, decision)
                if decision.incident is not None:
                    await write_incident(connection, decision.incident, decision.alerts)
        except OvertakenError:
            return False
        return True

    async def _save_repetition(self, decision: Decision) -> bool:
        """Store a decision that changes nothing but the detector states."""
        states = {
            "target": decision.verdict.target,
            "suites": list(decision.states),
            "states": [rows.detector_state_to_text(each) for each in decision.states.values()],
            "revisions": [each.revision for each in decision.states.values()],
        }
        try:
            async with self._lane() as lane, lane.transaction():
                _require_all(await lane.rows_within(_NEXT_STATES, states), decision.states)
                _refuse_missing(await lane.rows_within(_REPEAT, _repetition(decision)), decision.repeats)
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
        query = select(_EVERY.c.verdict_id).order_by(_EVERY.c.decided_at.desc()).limit(limit)
        async with self._transaction() as connection:
            latest = query if target is None else query.where(_EVERY.c.target == target)
            verdict_ids = list(await connection.scalars(latest))
            # By their ids: a verdict is large, so that only those that are shown are read.
            whole = select(schema.verdict).where(schema.verdict.c.verdict_id.in_(verdict_ids))
            stored = (await connection.execute(whole.order_by(schema.verdict.c.decided_at.desc()))).mappings()
            return [rows.verdict_from_row(dict(row)) for row in stored]

    async def find_verdict_ids(self, prefix: str = "", limit: int | None = None) -> list[str]:
        """The ids of verdicts that begin with ``prefix``, newest first; without a limit all of them."""
        query = select(_EVERY.c.verdict_id).where(_EVERY.c.verdict_id.startswith(prefix, autoescape=True))
        matches = await self._all(query.order_by(_EVERY.c.decided_at.desc()).limit(limit))
        return [row["verdict_id"] for row in matches]

    async def latest_verdict(self, target: str) -> Verdict | None:
        """The latest verdict about a target."""
        return next(iter(await self.list_verdicts(1, target)), None)

    async def revisions(self, target: str, suite_names: Sequence[str]) -> Revisions:
        """How often everything changed that decisions about these suites of a target read."""
        async with self._lane() as lane:
            (row,) = await lane.rows(_REVISIONS, {"target": target, "suites": list(suite_names)})
        return Revisions(
            states=row["states"] or {},
            baselines=row["baselines"] or {},
            snapshots=row["snapshots"] or {},
            deployments=row["deployments"],
            swaps=row["swaps"],
            incidents=(row["incidents"], row["incident_revisions"]),
            silences=(row["silences"], row["ended_silences"]),
        )


_EVERY = union_all(
    *(
        select(each.c.verdict_id, each.c.target, each.c.decided_at)
        for each in (schema.decided_verdict, schema.repeated_verdict)
    )
).subquery()
_OF_SUITES = "target = %(target)s AND suite_name = ANY(%(suites)s::text[])"
_REVISIONS = f"""SELECT
    (SELECT json_object_agg(suite_name, revision) FROM detector_state WHERE {_OF_SUITES}) AS states,
    (SELECT json_object_agg(suite_name, run_id) FROM baseline WHERE {_OF_SUITES} AND retired_at IS NULL) AS baselines,
    (SELECT json_object_agg(suite_name, run_id) FROM snapshot WHERE {_OF_SUITES}) AS snapshots,
    (SELECT count(*) FROM deployment WHERE target = %(target)s) AS deployments,
    (SELECT count(*) FROM swap WHERE target = %(target)s) AS swaps,
    incidents.number AS incidents, incidents.revisions AS incident_revisions,
    silences.number AS silences, silences.ended AS ended_silences
    FROM (SELECT count(*) AS number, coalesce(sum(revision), 0) AS revisions FROM incident
            WHERE kind = 'regression' AND subject = %(target)s) AS incidents,
        (SELECT count(*) AS number, count(ended_at) AS ended FROM silence) AS silences"""  # noqa: S608 - our own names
# Each state must be the next revision of the stored one.
_NEXT_STATES = """UPDATE detector_state AS stored SET state = next.state::jsonb, revision = next.revision
    FROM unnest(%(suites)s::text[], %(states)s::text[], %(revisions)s::int[]) AS next(suite_name, state, revision)
    WHERE stored.target = %(target)s AND stored.suite_name = next.suite_name AND stored.revision = next.revision - 1
    RETURNING stored.suite_name"""
_REPEAT = """INSERT INTO repeated_verdict (verdict_id, cycle_id, verdict_key, target, run_ids, decided_at)
    SELECT %(verdict_id)s, %(cycle_id)s, verdict_key, target, %(run_ids)s::jsonb, %(decided_at)s
    FROM decided_verdict WHERE verdict_id = %(repeats)s RETURNING verdict_id"""


def _repetition(decision: Decision) -> dict[str, Any]:
    verdict = decision.verdict
    values = {name: getattr(verdict, name) for name in ("verdict_id", "cycle_id", "decided_at")}
    return values | {"run_ids": encode_json(verdict.run_ids).decode(), "repeats": decision.repeats}


def _require_all(written: Collection[Any], states: Collection[str]) -> None:
    """Raise OvertakenError unless every state was written."""
    if len(written) < len(states):
        raise OvertakenError


def _refuse_missing(repeated: Sequence[Any], verdict_id: str) -> None:
    if not repeated:
        raise StoreError(f"the verdict {verdict_id} is missing: restore the database from a backup")


async def _save_verdict(connection: AsyncConnection, decision: Decision) -> None:
    if not decision.repeats:
        await connection.execute(insert(schema.decided_verdict).values(rows.verdict_to_row(decision.verdict)))
        return
    repeated = await connection.exec_driver_sql(_REPEAT, _repetition(decision))
    _refuse_missing(repeated.all(), decision.repeats)


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
