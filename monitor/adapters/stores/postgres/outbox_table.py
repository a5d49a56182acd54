"""The outbox of queued alerts in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, case, func, or_, select, update

from monitor.adapters.stores.postgres import incident_schema, rows
from monitor.adapters.stores.postgres.connection import Database
from monitor.errors import Reason
from monitor.model.alerts import Delivery


class OutboxTable(Database):
    """Statements for deliveries. They are leased, so that processes share the work and a crash loses none."""

    async def lease_deliveries(
        self, notifiers: Sequence[str], limit: int, now: datetime, lease_s: float
    ) -> list[Delivery]:
        """Lease alerts that are due for these notifiers for ``lease_s`` seconds, in order for each dedup key."""
        delivery, lease = incident_schema.delivery, timedelta(seconds=lease_s)
        earlier = delivery.alias()
        is_behind = (
            select(earlier.c.delivery_id)
            .where(
                earlier.c.state == "pending",
                earlier.c.notifier == delivery.c.notifier,
                earlier.c.dedup_key == delivery.c.dedup_key,
                earlier.c.delivery_id < delivery.c.delivery_id,
            )
            .exists()
        )
        due = (
            select(delivery.c.delivery_id)
            .where(
                delivery.c.state == "pending",
                delivery.c.notifier.in_(notifiers),
                or_(delivery.c.next_attempt_at.is_(None), delivery.c.next_attempt_at <= now),
                or_(
                    delivery.c.leased_until.is_(None),
                    delivery.c.leased_until <= now,
                    # A lease that ends later than this was taken before the clock was set back.
                    delivery.c.leased_until > now + 2 * lease,
                ),
                ~is_behind,
            )
            .order_by(delivery.c.delivery_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        leased = (
            update(delivery)
            .where(delivery.c.delivery_id.in_(due))
            .values(leased_until=now + lease, attempts=delivery.c.attempts + 1)
            .returning(delivery.c.delivery_id)
        )
        ids = [row["delivery_id"] for row in await self._all(leased)]
        return [rows.delivery_from_row(row) for row in await self._all(_with_alerts(ids))] if ids else []

    async def mark_delivered(self, receipts: Mapping[int, str | None], at: datetime) -> None:
        """Record that the notifiers accepted these alerts, each with the receipt that its notifier returned."""
        delivery = incident_schema.delivery
        values: dict[str, Any] = {"state": "delivered", "delivered_at": at, "leased_until": None}
        if any(receipts.values()):
            values["receipt"] = case(receipts, value=delivery.c.delivery_id)
        await self._execute(update(delivery).where(delivery.c.delivery_id.in_(receipts)).values(values))

    async def retry_deliveries(self, notifiers: Sequence[str], now: datetime) -> int:
        """Make every undelivered alert for these notifiers due now; return their number.

        A dead one is left out if a later alert of its incident was delivered: it would report an old state again.
        """
        delivery = incident_schema.delivery
        later = delivery.alias()
        is_overtaken = (
            select(later.c.delivery_id)
            .where(
                later.c.state == "delivered",
                later.c.notifier == delivery.c.notifier,
                later.c.dedup_key == delivery.c.dedup_key,
                later.c.delivery_id > delivery.c.delivery_id,
            )
            .exists()
        )
        is_waiting = and_(delivery.c.state == "pending", delivery.c.attempts > 0)
        is_dead = and_(delivery.c.state == "dead", ~is_overtaken)
        revived = (
            update(delivery)
            .where(delivery.c.notifier.in_(notifiers), or_(is_waiting, is_dead))
            .values(state="pending", next_attempt_at=now, leased_until=None)
            .returning(delivery.c.delivery_id)
        )
        return len(await self._all(revived))

    async def mark_undelivered(
        self, delivery_id: int, reason: Reason, detail: str, *, next_attempt_at: datetime | None
    ) -> None:
        """Record a failed attempt; retry at ``next_attempt_at``, or never if it is None (a dead letter)."""
        values: dict[str, Any] = {"reason": str(reason), "detail": detail, "leased_until": None}
        if next_attempt_at is None:
            values["state"] = "dead"
        else:
            values["next_attempt_at"] = next_attempt_at
        delivery = incident_schema.delivery
        is_pending = (delivery.c.delivery_id == delivery_id, delivery.c.state == "pending")
        await self._execute(update(delivery).where(*is_pending).values(values))

    async def count_deliveries(self) -> Mapping[str, int]:
        """Deliveries by state: pending, delivered, dead, silenced."""
        state = incident_schema.delivery.c.state
        counts = await self._all(select(state, func.count().label("n")).group_by(state))
        return {"pending": 0, "delivered": 0, "dead": 0, "silenced": 0} | {row["state"]: row["n"] for row in counts}

    async def oldest_pending(self) -> datetime | None:
        """Creation time of the oldest pending alert; None without any."""
        delivery, alert = incident_schema.delivery, incident_schema.alert
        row = await self._first(
            select(func.min(alert.c.created_at).label("oldest_at"))
            .join(delivery, delivery.c.alert_id == alert.c.alert_id)
            .where(delivery.c.state == "pending")
        )
        return row["oldest_at"] if row else None


def _with_alerts(ids: Sequence[int]) -> Select[Any]:
    """The deliveries with their alerts, and the receipt of the first message of the incident by the same notifier."""
    delivery, alert = incident_schema.delivery, incident_schema.alert
    first, first_alert = delivery.alias(), alert.alias()
    earlier_receipt = (
        select(first.c.receipt)
        .join(first_alert, first_alert.c.alert_id == first.c.alert_id)
        .where(
            first_alert.c.incident_id == alert.c.incident_id,
            first.c.notifier == delivery.c.notifier,
            first.c.receipt.is_not(None),
        )
        .order_by(first.c.delivery_id)
        .limit(1)
        .scalar_subquery()
    )
    columns = [column for column in alert.c if column.name != "state"]
    return (
        select(delivery, *columns, alert.c.state.label("alert_state"), earlier_receipt.label("earlier_receipt"))
        .join(alert, alert.c.alert_id == delivery.c.alert_id)
        .where(delivery.c.delivery_id.in_(ids))
        .order_by(delivery.c.delivery_id)
    )
