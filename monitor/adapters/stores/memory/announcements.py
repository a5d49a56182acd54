"""The outbox of swaps in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.adapters.stores.memory.incidents import MemoryIncidents
from monitor.errors import Reason
from monitor.model.deployments import Announcement, Swap


@dataclass(slots=True)
class QueuedAnnouncement:
    """An announcement with its state."""

    announcement: Announcement
    not_before: datetime | None = None
    """The end of its lease, or the time of its next attempt."""
    is_done: bool = False


@dataclass(slots=True)
class MemoryAnnouncements(MemoryIncidents):
    """Swaps, and which notifier has shown them."""

    swaps: list[Swap] = field(default_factory=list)
    announcements: dict[tuple[str, str], QueuedAnnouncement] = field(default_factory=dict)

    async def lease_announcements(
        self, notifiers: Sequence[str], limit: int, now: datetime, lease_s: float, since: datetime
    ) -> list[Announcement]:
        """Lease swaps detected after ``since`` that these notifiers have not shown and that are due."""
        leased: list[Announcement] = []
        recent = sorted((swap for swap in self.swaps if swap.detected_at >= since), key=lambda swap: swap.detected_at)
        for swap, name in ((swap, name) for swap in recent for name in notifiers):
            new = QueuedAnnouncement(Announcement(swap, name, 0))
            item = self.announcements.setdefault((swap.run_id, name), new)
            is_due = item.not_before is None or item.not_before <= now
            if not item.is_done and is_due and len(leased) < limit:
                item.not_before = now + timedelta(seconds=lease_s)
                item.announcement = replace(item.announcement, attempts=item.announcement.attempts + 1)
                leased.append(item.announcement)
        return leased

    async def mark_announced(self, announcement: Announcement, at: datetime) -> None:  # noqa: ARG002 - the port's
        """Record that the notifier accepted a swap."""
        self.announcements[announcement.swap.run_id, announcement.notifier].is_done = True

    async def requeue_announcement(
        self,
        announcement: Announcement,
        reason: Reason,  # noqa: ARG002 - the port's
        *,
        next_attempt_at: datetime,
    ) -> None:
        """Record a failed attempt, and when to try again."""
        self.announcements[announcement.swap.run_id, announcement.notifier].not_before = next_attempt_at
