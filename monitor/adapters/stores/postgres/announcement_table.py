"""The outbox of swaps in PostgreSQL: one row for each swap and each notifier that shows swaps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from monitor.adapters.stores.postgres import rows, schema
from monitor.adapters.stores.postgres.connection import Database
from monitor.errors import Reason
from monitor.model.deployments import Announcement


class AnnouncementTable(Database):
    """Statements for announcements. Rows are derived from the stored swaps, so that a crash loses none."""

    async def lease_announcements(
        self, notifiers: Sequence[str], limit: int, now: datetime, lease_s: float, since: datetime
    ) -> list[Announcement]:
        """Lease swaps detected after ``since`` that these notifiers have not shown and that are due."""
        table, swap = schema.announcement, schema.swap
        for name in notifiers:
            recent = select(swap.c.run_id, literal(name)).where(swap.c.detected_at >= since)
            await self._execute(upsert(table).from_select(["run_id", "notifier"], recent).on_conflict_do_nothing())
        due = (
            select(table.c.run_id, table.c.notifier)
            .join(swap, swap.c.run_id == table.c.run_id)
            .where(
                table.c.announced_at.is_(None),
                table.c.notifier.in_(notifiers),
                swap.c.detected_at >= since,
                or_(table.c.next_attempt_at.is_(None), table.c.next_attempt_at <= now),
                or_(table.c.leased_until.is_(None), table.c.leased_until <= now),
            )
            .order_by(swap.c.detected_at)
            .limit(limit)
            .with_for_update(skip_locked=True, of=table)
        )
        leased = (
            update(table)
            .where(tuple_(table.c.run_id, table.c.notifier).in_(due), swap.c.run_id == table.c.run_id)
            .values(leased_until=now + timedelta(seconds=lease_s), attempts=table.c.attempts + 1)
            .returning(table.c.notifier, table.c.attempts, swap)
        )
        announcements = [
            Announcement(rows.swap_from_row(row), row["notifier"], row["attempts"]) for row in await self._all(leased)
        ]
        return sorted(announcements, key=lambda announcement: announcement.swap.detected_at)

    async def mark_announced(self, announcement: Announcement, at: datetime) -> None:
        """Record that the notifier accepted a swap."""
        await self._change(announcement, announced_at=at, leased_until=None)

    async def requeue_announcement(
        self, announcement: Announcement, reason: Reason, *, next_attempt_at: datetime
    ) -> None:
        """Record a failed attempt, and when to try again."""
        await self._change(announcement, reason=str(reason), next_attempt_at=next_attempt_at, leased_until=None)

    async def _change(self, announcement: Announcement, **values: object) -> None:
        table = schema.announcement
        is_this = (table.c.run_id == announcement.swap.run_id, table.c.notifier == announcement.notifier)
        await self._execute(update(table).where(*is_this, table.c.announced_at.is_(None)).values(values))
