"""Incidents and the outbox in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from monitor.adapters.stores.memory.slots import MemorySlots
from monitor.errors import Reason, StoreError
from monitor.model.alerts import Alert, AlertState, Delivery
from monitor.model.incidents import Incident, IncidentKind, IncidentStatus, Tally
from monitor.model.silences import Silence


@dataclass(slots=True)
class QueuedDelivery:
    """A delivery with its state."""

    delivery: Delivery
    state: str
    next_attempt_at: datetime | None
    leased_until: datetime | None = None
    last_result: str = ""
    """Result of the latest attempt."""
    receipt: str = ""

    @property
    def lane(self) -> tuple[str, str]:
        """Deliveries of one lane are sent in order."""
        return self.delivery.notifier, self.delivery.alert.dedup_key

    def is_due(self, now: datetime, lease_s: float) -> bool:
        """Whether it can be sent now."""
        lease = timedelta(seconds=lease_s)
        until = self.leased_until
        # A lease that ends later than this was taken before the clock was set back.
        is_free = until is None or until <= now or until > now + 2 * lease
        return is_free and (self.next_attempt_at is None or self.next_attempt_at <= now)


@dataclass(slots=True)
class MemoryIncidents(MemorySlots):
    """Incidents, alerts and deliveries."""

    incidents: dict[str, Incident] = field(default_factory=dict)
    queue: dict[int, QueuedDelivery] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    stored_silences: dict[str, Silence] = field(default_factory=dict)

    async def find_incident(self, kind: IncidentKind, subject: str, dedup_key: str = "") -> Incident | None:
        """The active incident of a subject, else the latest one with this key."""
        of_subject = (each for each in self.incidents.values() if (each.kind, each.subject) == (kind, subject))
        candidates = (each for each in of_subject if each.is_active or each.dedup_key == dedup_key)
        return max(candidates, key=lambda each: (each.is_active, each.opened_at), default=None)

    async def incidents_of(self, kind: IncidentKind, subject: str, limit: int = 50) -> list[Incident]:
        """The incidents of a subject: an active one first, then the latest ones."""
        of_subject = (each for each in self.incidents.values() if (each.kind, each.subject) == (kind, subject))
        return sorted(of_subject, key=lambda each: (each.is_active, each.opened_at), reverse=True)[:limit]

    async def alerts_of(self, incident_id: str) -> list[Alert]:
        """The alerts of an incident, oldest first."""
        return [each for each in self.alerts.values() if each.incident_id == incident_id]

    async def find_incident_ids(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids of incidents that begin with ``prefix``, with or without ``incident_``, newest first."""
        ordered = sorted(self.incidents.values(), key=lambda each: each.opened_at, reverse=True)
        ids = [each.incident_id for each in ordered]
        return [each for each in ids if each.startswith((prefix, f"incident_{prefix}"))][:limit]

    async def load_incident(self, incident_id: str) -> Incident:
        """One incident. Raises StoreError naming the id if there is none."""
        if incident_id not in self.incidents:
            raise StoreError(f"no incident {incident_id}; `recallwatch incident list` prints the incidents")
        return self.incidents[incident_id]

    async def list_incidents(self, limit: int = 50) -> list[Incident]:
        """Incidents, active ones first, then by time, newest first."""
        ordered = sorted(self.incidents.values(), key=lambda each: (each.is_active, each.opened_at), reverse=True)
        return ordered[:limit]

    async def active_incidents(self, limit: int) -> list[Incident]:
        """Active incidents."""
        return [incident for incident in self.incidents.values() if incident.is_active][:limit]

    async def tally_incidents(self) -> list[Tally]:
        """The false-alarm ledger: outcomes of the regressions that fired, by target and policy."""
        groups: dict[tuple[str, str], list[Incident]] = {}
        for incident in self.incidents.values():
            if incident.kind is IncidentKind.REGRESSION and incident.has_fired:
                groups.setdefault((incident.target, incident.policy), []).append(incident)
        return [
            Tally(
                target=target,
                policy=policy,
                fired=len(fired),
                confirmed=sum(each.is_confirmed for each in fired),
                dismissed=sum(each.status is IncidentStatus.DISMISSED for each in fired),
            )
            for (target, policy), fired in sorted(groups.items())
        ]

    async def save_incident(self, incident: Incident, alerts: Sequence[Alert]) -> bool:
        """Store the next revision of an incident and queue its alerts, in one transaction.

        A firing alert is queued for the notifiers that it names, later alerts for the notifiers that received that one.
        When the incident ends, its silenced alerts are removed. Returns False, and stores nothing, if another process
        stored the revision first.
        """
        before = self.incidents.get(incident.incident_id)
        active = await self.find_incident(incident.kind, incident.subject)
        has_rival = active is not None and incident.is_active and active.incident_id != incident.incident_id
        if (before.revision if before else 0) != incident.revision - 1 or has_rival:
            return False
        self.incidents[incident.incident_id] = incident
        for alert in alerts:
            self.enqueue(alert)
        return True

    def enqueue(self, alert: Alert) -> None:
        """Queue an alert: a firing one for its notifiers, a later one for the notifiers that got the firing one."""
        self.alerts.setdefault(alert.alert_id, alert)
        of_incident = [each for each in self.queue.values() if each.delivery.alert.incident_id == alert.incident_id]
        if alert.state is AlertState.RESOLVED:
            for item in of_incident:
                is_held = item.delivery.alert.silenced_until is not None and not item.delivery.attempts
                item.state = "silenced" if item.state == "pending" and is_held else item.state
        notifiers: Sequence[str] = alert.notifiers
        if alert.state is not AlertState.FIRING:
            notifiers = sorted({item.delivery.notifier for item in of_incident if item.state != "silenced"})
        queued = {item.delivery.notifier for item in of_incident if item.delivery.alert.alert_id == alert.alert_id}
        for notifier in notifiers:
            if notifier not in queued:
                delivery = Delivery(len(self.queue) + 1, notifier, alert, 0)
                self.queue[delivery.delivery_id] = QueuedDelivery(delivery, "pending", alert.silenced_until)

    async def lease_deliveries(
        self, notifiers: Sequence[str], limit: int, now: datetime, lease_s: float
    ) -> list[Delivery]:
        """Lease alerts that are due for these notifiers for ``lease_s`` seconds, in order for each dedup key."""
        leased: list[Delivery] = []
        lanes: set[tuple[str, str]] = set()
        for item in self.queue.values():
            if item.state != "pending" or item.lane in lanes or item.delivery.notifier not in notifiers:
                continue
            lanes.add(item.lane)
            if item.is_due(now, lease_s) and len(leased) < limit:
                item.leased_until = now + timedelta(seconds=lease_s)
                alert = replace(item.delivery.alert, receipt=self._earlier_receipt(item))
                item.delivery = replace(item.delivery, alert=alert, attempts=item.delivery.attempts + 1)
                leased.append(item.delivery)
        return leased

    def _earlier_receipt(self, item: QueuedDelivery) -> str:
        """The receipt of the first message of the incident by this notifier."""
        receipts = (
            each.receipt
            for each in self.queue.values()
            if each.delivery.notifier == item.delivery.notifier
            and each.delivery.alert.incident_id == item.delivery.alert.incident_id
        )
        return next(filter(None, receipts), "")

    async def mark_delivered(self, receipts: Mapping[int, str | None], at: datetime) -> None:
        """Record that the notifiers accepted these alerts, each with the receipt that its notifier returned."""
        for delivery_id, receipt in receipts.items():
            item = self.queue[delivery_id]
            item.state, item.last_result, item.receipt = "delivered", f"at {at.isoformat()}", receipt or ""

    async def retry_deliveries(self, notifiers: Sequence[str], now: datetime) -> int:
        """Make every undelivered alert for these notifiers due now; return their number.

        A dead one is left out if a later alert of its incident was delivered: it would report an old state again.
        """
        latest = {item.lane: number for number, item in self.queue.items() if item.state == "delivered"}
        revived = [
            item
            for number, item in self.queue.items()
            if item.delivery.notifier in notifiers
            and (
                (item.state == "pending" and item.delivery.attempts > 0)
                or (item.state == "dead" and latest.get(item.lane, 0) < number)
            )
        ]
        for item in revived:
            item.state, item.next_attempt_at, item.leased_until = "pending", now, None
        return len(revived)

    async def save_silence(self, silence: Silence) -> None:
        """Store a silence, or its end."""
        self.stored_silences[silence.silence_id] = silence

    async def silences(self, *, ended: bool = False) -> list[Silence]:
        """Silences set by people, newest first; with ``ended`` also those that a person ended."""
        stored = [each for each in self.stored_silences.values() if ended or each.ended_at is None]
        return sorted(stored, key=lambda each: each.created_at or datetime.min.replace(tzinfo=UTC), reverse=True)

    async def mark_undelivered(
        self, delivery_id: int, reason: Reason, detail: str, *, next_attempt_at: datetime | None
    ) -> None:
        """Record a failed attempt; retry at ``next_attempt_at``, or never if it is None (a dead letter)."""
        item = self.queue[delivery_id]
        if item.state != "pending":
            return
        item.leased_until, item.last_result = None, f"{reason}: {detail}"
        if next_attempt_at is None:
            item.state = "dead"
        else:
            item.next_attempt_at = next_attempt_at

    async def count_deliveries(self) -> Mapping[str, int]:
        """Deliveries by state: pending, delivered, dead, silenced."""
        counts = Counter(item.state for item in self.queue.values())
        return {"pending": 0, "delivered": 0, "dead": 0, "silenced": 0} | dict(counts)

    async def oldest_pending(self) -> datetime | None:
        """Creation time of the oldest pending alert; None without any."""
        waiting = (item.delivery.alert.created_at for item in self.queue.values() if item.state == "pending")
        return min(waiting, default=None)
