"""Incidents and the alerts that are queued with them, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.adapters.stores.postgres import incident_schema, rows
from monitor.adapters.stores.postgres.connection import Database
from monitor.adapters.stores.postgres.slot_schema import incident_tally
from monitor.errors import StoreError
from monitor.model.alerts import Alert, AlertState
from monitor.model.incidents import Incident, IncidentKind, IncidentStatus, Tally

_ACTIVE = tuple(str(status) for status in IncidentStatus if status.is_active)
_FIND = f"""SELECT {", ".join(column.name for column in incident_schema.incident.columns)} FROM incident
    WHERE kind = %(kind)s AND subject = %(subject)s AND (status = ANY(%(active)s::text[]) OR dedup_key = %(dedup_key)s)
    ORDER BY status = ANY(%(active)s::text[]) DESC, opened_at DESC LIMIT 1"""  # noqa: S608 - our own names


class OvertakenError(Exception):
    """Another process updated the incident first; raised and caught inside this package."""


class IncidentTables(Database):
    """Statements for incidents and their alerts."""

    async def find_incident(self, kind: IncidentKind, subject: str, dedup_key: str = "") -> Incident | None:
        """The active incident of a subject, else the latest one with this key."""
        parameters = {"kind": str(kind), "subject": subject, "dedup_key": dedup_key, "active": list(_ACTIVE)}
        async with self._lane() as lane:
            stored = await lane.rows(_FIND, parameters)
        return rows.incident_from_row(stored[0]) if stored else None

    async def incidents_of(self, kind: IncidentKind, subject: str, limit: int = 50) -> list[Incident]:
        """The incidents of a subject: an active one first, then the latest ones."""
        table = incident_schema.incident
        of_subject = select(table).where(table.c.kind == str(kind), table.c.subject == subject)
        ordered = of_subject.order_by(table.c.status.in_(_ACTIVE).desc(), table.c.opened_at.desc())
        return [rows.incident_from_row(row) for row in await self._all(ordered.limit(limit))]

    async def alerts_of(self, incident_id: str) -> list[Alert]:
        """The alerts of an incident, oldest first."""
        table = incident_schema.alert
        of_incident = select(table).where(table.c.incident_id == incident_id)
        return [rows.alert_from_row(row) for row in await self._all(of_incident.order_by(table.c.created_at))]

    async def find_incident_ids(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids of incidents that begin with ``prefix``, with or without ``incident_``, newest first."""
        incident = incident_schema.incident
        begins = [incident.c.incident_id.startswith(each, autoescape=True) for each in (prefix, f"incident_{prefix}")]
        query = select(incident.c.incident_id).where(or_(*begins)).order_by(incident.c.opened_at.desc())
        return [row["incident_id"] for row in await self._all(query.limit(limit))]

    async def load_incident(self, incident_id: str) -> Incident:
        """One incident. Raises StoreError naming the id if there is none."""
        row = await self._first(
            select(incident_schema.incident).where(incident_schema.incident.c.incident_id == incident_id)
        )
        if row is None:
            raise StoreError(f"no incident {incident_id}; `recallwatch incident list` prints the incidents")
        return rows.incident_from_row(row)

    async def list_incidents(self, limit: int = 50) -> list[Incident]:
        """Incidents, active ones first, then by time, newest first."""
        table = incident_schema.incident
        ordered = select(table).order_by(table.c.status.in_(_ACTIVE).desc(), table.c.opened_at.desc())
        return [rows.incident_from_row(row) for row in await self._all(ordered.limit(limit))]

    async def active_incidents(self, limit: int) -> list[Incident]:
        """Active incidents, read from the partial index that holds no others."""
        table = incident_schema.incident
        active = select(table).where(table.c.status.in_(_ACTIVE)).limit(limit)
        return [rows.incident_from_row(row) for row in await self._all(active)]

    async def tally_incidents(self) -> list[Tally]:
        """The false-alarm ledger: outcomes of the regressions that fired, by target and policy.

        A trigger counts them while incidents are written.
        """
        table = incident_tally
        query = select(table).where(table.c.fired > 0).order_by(table.c.target, table.c.policy)
        return [Tally(**row) for row in await self._all(query)]

    async def save_incident(self, incident: Incident, alerts: Sequence[Alert]) -> bool:
        """Store the next revision of an incident and queue its alerts, in one transaction.

        A firing alert is queued for the notifiers that it names, later alerts for the notifiers that received that one.
        When the incident ends, its silenced alerts are removed. Returns False, and stores nothing, if another process
        stored the revision first.
        """
        try:
            async with self._transaction() as connection:
                await write_incident(connection, incident, alerts)
        except OvertakenError:
            return False
        return True


async def write_incident(connection: AsyncConnection, incident: Incident, alerts: Iterable[Alert]) -> None:
    """Write the revision and its alerts. Raises OvertakenError unless it follows the stored revision."""
    table, values = incident_schema.incident, rows.incident_to_row(incident)
    follows = table.c.revision == incident.revision - 1
    statement: Any = (
        upsert(table).values(values).on_conflict_do_nothing()
        if incident.revision == 1
        else update(table).where(table.c.incident_id == incident.incident_id, follows).values(values)
    )
    try:
        written = await connection.execute(statement.returning(table.c.incident_id))
    except IntegrityError as error:  # another incident became active first
        raise OvertakenError from error
    if written.first() is None:
        raise OvertakenError
    for alert in alerts:
        await _queue(connection, alert)


async def _queue(connection: AsyncConnection, alert: Alert) -> None:
    """Queue an alert: a firing one for its notifiers, a later one for the notifiers that got the firing one."""
    await connection.execute(upsert(incident_schema.alert).values(rows.alert_to_row(alert)).on_conflict_do_nothing())
    if alert.state is AlertState.RESOLVED:
        await connection.execute(_cancel_silenced(alert.incident_id))
    notifiers: Sequence[str] = alert.notifiers
    if alert.state is not AlertState.FIRING:
        notifiers = (await connection.execute(_alerted_notifiers(alert.incident_id))).scalars().all()
    queued = [
        {
            "alert_id": alert.alert_id,
            "notifier": notifier,
            "dedup_key": alert.dedup_key,
            "next_attempt_at": alert.silenced_until,
        }
        for notifier in notifiers
    ]
    if queued:
        await connection.execute(upsert(incident_schema.delivery).values(queued).on_conflict_do_nothing())


def _cancel_silenced(incident_id: str) -> Any:
    """Cancel deliveries that a silence still holds back: the incident is over before it was announced."""
    delivery, alert = incident_schema.delivery, incident_schema.alert
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


def _alerted_notifiers(incident_id: str) -> Any:
    delivery, alert = incident_schema.delivery, incident_schema.alert
    return (
        select(delivery.c.notifier)
        .join(alert, alert.c.alert_id == delivery.c.alert_id)
        .where(alert.c.incident_id == incident_id, delivery.c.state != "silenced")
        .distinct()
        .order_by(delivery.c.notifier)
    )
