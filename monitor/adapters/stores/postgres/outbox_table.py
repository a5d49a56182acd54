"""The outbox of queued alerts in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, update

from monitor.adapters.stores.postgres import rows, schema
from monitor.adapters.stores.postgres.connection import Database
from monitor.errors import Reason
from monitor.model.alerts import Delivery


class OutboxTable(Database):
    """Statements for deliveries. They are leased, so that processes share the work and a crash loses none."""

    async def lease_deliveries(
        self, notifiers: Sequence[str], limit: int, now: datetime, lease_s: float
    ) -> list[Delivery]:
        """Lease alerts that are due for these notifiers for ``lease_s`` seconds, in order for each dedup key."""
        delivery, alert, lease = schema.delivery, schema.alert, timedelta(seconds=lease_s)
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
        joined = (
            select(delivery, *[c for c in alert.c if c.name != "state"], alert.c.state.label("alert_state"))
            .join(alert, alert.c.alert_id == delivery.c.alert_id)
            .where(delivery.c.delivery_id.in_(ids))
            .order_by(delivery.c.delivery_id)
        )
        return [rows.delivery_from_row(row) for row in await self._all(joined)] if ids else []

    async def mark_delivered(self, delivery_ids: Sequence[int], at: datetime) -> None:
        """Record that the notifiers accepted these alerts."""
        delivery = schema.delivery
        values = {"state": "delivered", "delivered_at": at, "leased_until": None}
        await self._execute(update(delivery).where(delivery.c.delivery_id.in_(delivery_ids)).values(values))

    async def mark_undelivered(
        self, delivery_id: int, reason: Reason, detail: str, *, next_attempt_at: datetime | None
    ) -> None:
        """Record a failed attempt; retry at ``next_attempt_at``, or never if it is None (a dead letter)."""
        values: dict[str, Any] = {"reason": str(reason), "detail": detail, "leased_until": None}
        if next_attempt_at is None:
            values["state"] = "dead"
        else:
            values["next_attempt_at"] = next_attempt_at
        delivery = schema.delivery
        is_pending = (delivery.c.delivery_id == delivery_id, delivery.c.state == "pending")
        await self._execute(update(delivery).where(*is_pending).values(values))

    async def count_deliveries(self) -> Mapping[str, int]:
        """Deliveries by state: pending, delivered, dead, silenced."""
        state = schema.delivery.c.state
        counts = await self._all(select(state, func.count().label("n")).group_by(state))
        return {"pending": 0, "delivered": 0, "dead": 0, "silenced": 0} | {row["state"]: row["n"] for row in counts}

    async def oldest_pending(self) -> datetime | None:
        """Creation time of the oldest pending alert; None without any."""
        delivery, alert = schema.delivery, schema.alert
        row = await self._first(
            select(func.min(alert.c.created_at).label("oldest_at"))
            .join(delivery, delivery.c.alert_id == alert.c.alert_id)
            .where(delivery.c.state == "pending")
        )
        return row["oldest_at"] if row else None
