"""Incidents and the outbox in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.errors import Reason, StoreError
from monitor.model.alerts import Alert, AlertState, Delivery
from monitor.model.incidents import Incident, IncidentKind, IncidentStatus, Tally


@dataclass(slots=True)
class Queued:
    """A delivery with how it stands."""

    delivery: Delivery
    state: str
    next_attempt_at: datetime | None
    leased_until: datetime | None = None
    settled: str = ""
    """How the last attempt ended."""

    def is_due(self, now: datetime, lease_s: float) -> bool:
        """Whether it may be sent now."""
        lease = timedelta(seconds=lease_s)
        until = self.leased_until
        # No lease reaches so far ahead, unless the clock was set back since.
        is_free = until is None or until <= now or until > now + 2 * lease
        return is_free and (self.next_attempt_at is None or self.next_attempt_at <= now)


@dataclass(slots=True)
class MemoryIncidents:
    """What lasts, and who was told."""

    incidents: dict[str, Incident] = field(default_factory=dict)
    queue: dict[int, Queued] = field(default_factory=dict)

    async def find_incident(self, kind: IncidentKind, subject: str, dedup_key: str = "") -> Incident | None:
        """The incident that lasts for a subject, else the last one under the key."""
        found = (each for each in self.incidents.values() if (each.kind, each.subject) == (kind, subject))
        fitting = (each for each in found if each.is_active or each.dedup_key == dedup_key)
        return max(fitting, key=lambda each: (each.is_active, each.opened_at), default=None)

    async def load_incident(self, incident_id: str) -> Incident:
        """One incident."""
        if incident_id not in self.incidents:
            raise StoreError(f"no incident {incident_id}; `recallwatch incident list` lists those there are")
        return self.incidents[incident_id]

    async def list_incidents(self, limit: int = 50) -> list[Incident]:
        """Incidents, those that last first, then the newest."""
        ordered = sorted(self.incidents.values(), key=lambda each: (each.is_active, each.opened_at), reverse=True)
        return ordered[:limit]

    async def tally_incidents(self) -> list[Tally]:
        """The noise ledger: what became of the regressions that fired, by target and policy."""
        counted: dict[tuple[str, str], list[Incident]] = {}
        for each in self.incidents.values():
            if each.kind is IncidentKind.REGRESSION and each.has_fired:
                counted.setdefault((each.target, each.policy), []).append(each)
        return [
            Tally(
                target=target,
                policy=policy,
                fired=len(fired),
                confirmed=sum(each.is_confirmed for each in fired),
                dismissed=sum(each.status is IncidentStatus.DISMISSED for each in fired),
            )
            for (target, policy), fired in sorted(counted.items())
        ]

    async def save_incident(self, incident: Incident, alerts: Sequence[Alert]) -> bool:
        """Keep the next revision of an incident and queue its alerts; False if another was first."""
        before = self.incidents.get(incident.incident_id)
        lasting = await self.find_incident(incident.kind, incident.subject)
        is_alone = lasting is None or not incident.is_active or lasting.incident_id == incident.incident_id
        if (before.revision if before else 0) != incident.revision - 1 or not is_alone:
            return False
        self.incidents[incident.incident_id] = incident
        for alert in alerts:
            self.enqueue(alert)
        return True

    def enqueue(self, alert: Alert) -> None:
        """Queue an alert: that it fires for those whom the alert names, what follows for those who were told."""
        of_incident = [each for each in self.queue.values() if each.delivery.alert.incident_id == alert.incident_id]
        if alert.state is AlertState.RESOLVED:
            for item in of_incident:
                is_held = item.delivery.alert.silenced_until is not None and not item.delivery.attempts
                item.state = "silenced" if item.state == "pending" and is_held else item.state
        told: Sequence[str] = alert.notifiers
        if alert.state is not AlertState.FIRING:
            told = sorted({item.delivery.notifier for item in of_incident if item.state != "silenced"})
        known = {item.delivery.notifier for item in of_incident if item.delivery.alert.alert_id == alert.alert_id}
        for notifier in told:
            if notifier not in known:
                delivery = Delivery(len(self.queue) + 1, notifier, alert, 0)
                self.queue[delivery.delivery_id] = Queued(delivery, "pending", alert.silenced_until)

    async def lease_deliveries(
        self, notifiers: Sequence[str], limit: int, now: datetime, lease_s: float
    ) -> list[Delivery]:
        """Take alerts that are due for these notifiers, in order per dedup key."""
        taken: list[Delivery] = []
        seen: set[tuple[str, str]] = set()
        for item in self.queue.values():
            lane = (item.delivery.notifier, item.delivery.alert.dedup_key)
            if item.state != "pending" or lane in seen or item.delivery.notifier not in notifiers:
                continue
            seen.add(lane)
            if item.is_due(now, lease_s) and len(taken) < limit:
                item.leased_until = now + timedelta(seconds=lease_s)
                item.delivery = replace(item.delivery, attempts=item.delivery.attempts + 1)
                taken.append(item.delivery)
        return taken

    async def mark_delivered(self, delivery_ids: Sequence[int], at: datetime) -> None:
        """The notifiers accepted these alerts."""
        for delivery_id in delivery_ids:
            item = self.queue[delivery_id]
            item.state, item.settled = "delivered", f"at {at.isoformat()}"

    async def mark_undelivered(
        self, delivery_id: int, reason: Reason, detail: str, *, next_attempt_at: datetime | None
    ) -> None:
        """Try again at ``next_attempt_at``, or never if that is None; what was delivered meanwhile stays so."""
        item = self.queue[delivery_id]
        if item.state != "pending":
            return
        item.leased_until, item.settled = None, f"{reason}: {detail}"
        if next_attempt_at is None:
            item.state = "dead"
        else:
            item.next_attempt_at = next_attempt_at

    async def count_deliveries(self) -> Mapping[str, int]:
        """Deliveries by state."""
        counted = Counter(item.state for item in self.queue.values())
        return {"pending": 0, "delivered": 0, "dead": 0, "silenced": 0} | dict(counted)

    async def oldest_pending(self) -> datetime | None:
        """When the alert was created that waits longest."""
        waiting = (item.delivery.alert.created_at for item in self.queue.values() if item.state == "pending")
        return min(waiting, default=None)
