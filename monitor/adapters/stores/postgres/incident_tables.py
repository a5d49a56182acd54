"""Incidents and the alerts that are queued with them, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.adapters.stores.postgres import rows, schema
from monitor.adapters.stores.postgres.connection import Database
from monitor.errors import StoreError
from monitor.model.alerts import Alert, AlertState
from monitor.model.incidents import Incident, IncidentKind, IncidentStatus, Resolution, Tally

_LASTING = tuple(str(status) for status in IncidentStatus if status.is_active)


class OvertakenError(Exception):
    """Another process changed the incident first; raised and caught inside this package."""


class IncidentTables(Database):
    """What lasts, and who was told."""

    async def find_incident(self, kind: IncidentKind, subject: str, dedup_key: str = "") -> Incident | None:
        """The incident that lasts for a subject, else the last one under the key."""
        table = schema.incident
        is_active = table.c.status.in_(_LASTING)
        row = await self._first(
            select(table)
            .where(
                table.c.kind == str(kind), table.c.subject == subject, or_(is_active, table.c.dedup_key == dedup_key)
            )
            .order_by(is_active.desc(), table.c.opened_at.desc())
            .limit(1)
        )
        return rows.incident_from_row(row) if row else None

    async def load_incident(self, incident_id: str) -> Incident:
        """One incident. Raises StoreError naming the id if there is none."""
        row = await self._first(select(schema.incident).where(schema.incident.c.incident_id == incident_id))
        if row is None:
            raise StoreError(f"no incident {incident_id}; `recallwatch incident list` lists those there are")
        return rows.incident_from_row(row)

    async def list_incidents(self, limit: int = 50) -> list[Incident]:
        """Incidents, those that last first, then the newest."""
        table = schema.incident
        ordered = select(table).order_by(table.c.status.in_(_LASTING).desc(), table.c.opened_at.desc())
        return [rows.incident_from_row(row) for row in await self._all(ordered.limit(limit))]

    async def tally_incidents(self) -> list[Tally]:
        """The noise ledger: what became of the regressions that fired, by target and policy."""
        table = schema.incident
        is_dismissed = table.c.status == str(IncidentStatus.DISMISSED)
        is_confirmed = or_(table.c.acknowledged_at.is_not(None), table.c.resolution == str(Resolution.ROLLED_BACK))
        query = (
            select(
                table.c.target,
                table.c.policy,
                func.count().label("fired"),
                func.count(case((is_confirmed & ~is_dismissed, 1))).label("confirmed"),
                func.count(case((is_dismissed, 1))).label("dismissed"),
            )
            .where(table.c.kind == str(IncidentKind.REGRESSION), table.c.fired_at.is_not(None))
            .group_by(table.c.target, table.c.policy)
            .order_by(table.c.target, table.c.policy)
        )
        return [Tally(**row) for row in await self._all(query)]

    async def save_incident(self, incident: Incident, alerts: Sequence[Alert]) -> bool:
        """Keep the next revision of an incident and queue its alerts; False if another process was first."""
        try:
            async with self._transaction() as connection:
                await keep_incident(connection, incident, alerts)
        except OvertakenError:
            return False
        return True


async def keep_incident(connection: AsyncConnection, incident: Incident, alerts: Iterable[Alert]) -> None:
    """Write the revision and its alerts. Raises OvertakenError unless it follows upon the one that is there."""
    table, values = schema.incident, rows.incident_to_row(incident)
    follows = table.c.revision == incident.revision - 1
    kept: Any = (
        upsert(table).values(values).on_conflict_do_nothing()
        if incident.revision == 1
        else update(table).where(table.c.incident_id == incident.incident_id, follows).values(values)
    )
    try:
        found = await connection.execute(kept.returning(table.c.incident_id))
    except IntegrityError as error:  # meanwhile another incident lasts
        raise OvertakenError from error
    if found.first() is None:
        raise OvertakenError
    for alert in alerts:
        await _queue(connection, alert)


async def _queue(connection: AsyncConnection, alert: Alert) -> None:
    """Queue an alert: that it fires for those whom the alert names, what follows for those who were told."""
    await connection.execute(upsert(schema.alert).values(rows.alert_to_row(alert)).on_conflict_do_nothing())
    if alert.state is AlertState.RESOLVED:
        await connection.execute(_withdrawn(alert.incident_id))
    told: Sequence[str] = alert.notifiers
    if alert.state is not AlertState.FIRING:
        told = (await connection.execute(_told(alert.incident_id))).scalars().all()
    queued = [
        {
            "alert_id": alert.alert_id,
            "notifier": notifier,
            "dedup_key": alert.dedup_key,
            "next_attempt_at": alert.silenced_until,
        }
        for notifier in told
    ]
    if queued:
        await connection.execute(upsert(schema.delivery).values(queued).on_conflict_do_nothing())


def _withdrawn(incident_id: str) -> Any:
    """Take back what a silence held: it is over before anybody heard of it."""
    delivery, alert = schema.delivery, schema.alert
    return (
        update(delivery)
        .where(
            delivery.c.alert_id == alert.c.alert_id,
            alert.c.incident_id == incident_id,
            alert.c.silenced_until.is_not(None),
            delivery.c.state == "pending",
            delivery.c.attempts == 0,
        )
        .values(state="silenced")
    )


def _told(incident_id: str) -> Any:
    delivery, alert = schema.delivery, schema.alert
    return (
        select(delivery.c.notifier)
        .join(alert, alert.c.alert_id == delivery.c.alert_id)
        .where(alert.c.incident_id == incident_id, delivery.c.state != "silenced")
        .distinct()
        .order_by(delivery.c.notifier)
    )
