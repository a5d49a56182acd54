"""Baselines, swaps, verdicts, incidents and queued alerts in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Select, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from monitor.adapters.stores import rows, schema
from monitor.adapters.stores.connection import Database
from monitor.verdict import Alert, Baseline, Incident, Swap, Verdict


class DecisionTables(Database):
    """What is trusted and what was decided."""

    async def promote(self, baseline: Baseline) -> None:
        """Make a finished run the baseline; the one before stays on record."""
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
        """The baseline that holds now."""
        table = schema.baseline
        row = await self._first(_current_baselines().where(table.c.target == target, table.c.suite_name == suite_name))
        return rows.baseline_from_row(row) if row else None

    async def baselines(self) -> list[Baseline]:
        """Every baseline that holds now."""
        return [rows.baseline_from_row(row) for row in await self._all(_current_baselines())]

    async def save_swap(self, swap: Swap) -> None:
        """Keep that what a target serves has changed."""
        await self._execute(upsert(schema.swap).values(asdict(swap)).on_conflict_do_nothing())

    async def open_incident(self, dedup_key: str) -> Incident | None:
        """The incident that lasts under this key."""
        table = schema.incident
        row = await self._first(select(table).where(table.c.dedup_key == dedup_key, table.c.resolved_at.is_(None)))
        return rows.incident_from_row(row) if row else None

    async def save_decision(
        self, verdict: Verdict, incident: Incident | None, alerts: Sequence[Alert], notifiers: Sequence[str]
    ) -> None:
        """Keep verdict and incident, and queue each alert for each notifier, in one transaction."""
        async with self._transaction() as connection:
            await connection.execute(insert(schema.verdict).values(rows.verdict_to_row(verdict)))
            if incident is not None:
                values = asdict(incident) | {"verdict_name": str(incident.verdict_name)}
                await connection.execute(
                    upsert(schema.incident)
                    .values(values)
                    .on_conflict_do_update(index_elements=["incident_id"], set_={"resolved_at": incident.resolved_at})
                )
            for alert in alerts:
                await connection.execute(
                    upsert(schema.alert).values(asdict(alert) | {"state": str(alert.state)}).on_conflict_do_nothing()
                )
            queued = [
                {
                    "alert_id": alert.alert_id,
                    "notifier": notifier,
                    "dedup_key": alert.dedup_key,
                    "next_attempt_at": alert.created_at,
                }
                for alert in alerts
                for notifier in notifiers
            ]
            if queued:
                await connection.execute(upsert(schema.delivery).values(queued).on_conflict_do_nothing())

    async def latest_verdict(self, target: str) -> Verdict | None:
        """The last verdict about a target."""
        table = schema.verdict
        row = await self._first(
            select(table).where(table.c.target == target).order_by(table.c.decided_at.desc()).limit(1)
        )
        return rows.verdict_from_row(row) if row else None


def _current_baselines() -> Select[Any]:
    return select(schema.baseline).where(schema.baseline.c.retired_at.is_(None))
