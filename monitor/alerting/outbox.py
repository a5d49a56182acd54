"""Delivery of queued alerts: at least once per notifier, in order per incident."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from monitor.alerting import paging
from monitor.alerting.announcements import Announcer
from monitor.alerting.attention import send_reminders
from monitor.errors import NotifierError, Reason, StoreError
from monitor.incidents import operational
from monitor.incidents.acknowledgement import with_acknowledge_link
from monitor.incidents.routing import OnCall
from monitor.model.alerts import Delivery
from monitor.model.incidents import IncidentKind, Severity
from monitor.ports.store import Store
from monitor.ports.targets import Notifier

_LOG = structlog.get_logger(__name__)

LEASE_S = 60.0
"""After this time without a result, another process may send the alert."""
MAX_WAIT_S = 600.0
"""The longest time between two attempts, whatever the receiver asks for."""
PERMANENT_WAIT_S = 30.0
"""The shortest time after a refusal that a retry alone does not cure, such as a wrong secret."""
REPORTED_ATTEMPTS = {True: (8,), False: (1, 2, 4, 8)}
"""The failed attempts, of errors that are worth a retry and of others, after which the other notifiers report it: a
lost connection after some two minutes, a refusal at once. A message that is refused for ever is not reported for ever.
"""
GIVE_UP_AFTER_S = 86_400.0
"""Alerts of a closed incident are dead after this time; those of an active one are never given up."""
REMIND_CHECK_S = 15.0
IDLE_S = 1.0
"""The outbox is polled this often for retries and for alerts that other processes queued."""
BATCH = 64
"""Alerts that are sent to one notifier at a time."""


@dataclass(slots=True)
class OutboxWorker:
    """Sends alerts from the outbox to their notifiers."""

    store: Store
    notifiers: Mapping[str, Notifier]
    now: Callable[[], datetime]
    rng: random.Random = field(default_factory=random.Random)
    delivered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Delivered alerts, by notifier and state."""
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Failed attempts, by notifier and reason."""
    dead: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Notifiers that were reported as failing, by the reason."""
    on_call: OnCall = field(default_factory=OnCall)
    """Routing of alerts about notifiers that cannot deliver."""
    _wakeups: dict[str, asyncio.Event] = field(default_factory=dict)
    _dead_notifiers: set[str] | None = None
    """Notifiers with an open dead-letter incident; None until loaded from the store."""

    def wake(self) -> None:
        """Poll the outbox now, because an alert was queued."""
        for wakeup in self._wakeups.values():
            wakeup.set()

    def loops(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What runs as long as the daemon. Each notifier has its own loop, so a slow one delays no other."""
        deliver = {f"deliver to {name}": partial(self._deliver_forever, name) for name in self.notifiers}
        wakeup = self._wakeups.setdefault("", asyncio.Event())
        announcer = self.announcer()
        announce = {"announce swaps": partial(announcer.announce_forever, wakeup)} if announcer.listeners else {}
        return {"remind": self._remind_forever, **announce, **deliver}

    def announcer(self) -> Announcer:
        """The part that sends swaps; it counts its failures here."""
        return Announcer(self.store, self.notifiers, self.now, self._retry_delay_s, self.failed)

    async def _remind_forever(self) -> None:
        while True:
            try:
                if await send_reminders(self.store, self.on_call, self.now()):
                    self.wake()
            except StoreError as error:
                _LOG.error("reminders_not_sent", problem=str(error))
            await asyncio.sleep(REMIND_CHECK_S)

    async def _deliver_forever(self, name: str) -> None:
        """Deliver due alerts to one notifier.

        1. Lease the alerts that are due, the oldest of each incident first.
        2. Send them.
        3. Mark the accepted ones as delivered; requeue the others with a delay, or open a dead-letter incident.
        4. Without work, wait for a wake-up or the next poll.
        """
        wakeup = self._wakeups.setdefault(name, asyncio.Event())
        while True:
            wakeup.clear()
            try:
                had_work = await self.deliver_due((name,))
            except StoreError as error:
                _LOG.error("outbox_unreachable", problem=str(error))
                had_work = False
            if not had_work:
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_S):
                        await wakeup.wait()

    async def deliver_due(self, names: Sequence[str] | None = None) -> int:
        """Deliver the alerts that are due, to these notifiers or to all; return the number of attempts."""
        # Alerts for a notifier that was removed from the configuration stay in the outbox until it is back.
        notifiers = tuple(self.notifiers) if names is None else tuple(names)
        deliveries = await self.store.lease_deliveries(notifiers, BATCH, self.now(), LEASE_S)
        results = await asyncio.gather(*(self._attempt(delivery) for delivery in deliveries))
        outcomes = tuple(zip(deliveries, results, strict=True))
        await self._mark_delivered(
            [(each, result) for each, result in outcomes if not isinstance(result, NotifierError)]
        )
        for delivery, result in outcomes:
            if isinstance(result, NotifierError):
                await self._requeue(delivery, result)
        return len(deliveries)

    async def _attempt(self, delivery: Delivery) -> NotifierError | str | None:
        """The receipt of an accepted alert, or the error."""
        alert = with_acknowledge_link(delivery.alert, self.on_call.links)
        try:
            async with asyncio.timeout(LEASE_S / 2):
                return await self.notifiers[delivery.notifier].notify(alert)
        except NotifierError as error:
            return error
        except TimeoutError:
            return NotifierError(Reason.TIMEOUT, "no response")
        except Exception as error:  # noqa: BLE001 - a notifier with a bug must not stop the others
            return NotifierError(Reason.BROKEN, f"bug in the notifier: {error!r}")

    async def _mark_delivered(self, accepted: Sequence[tuple[Delivery, str | None]]) -> None:
        if not accepted:
            return
        await self.store.mark_delivered({delivery.delivery_id: receipt for delivery, receipt in accepted}, self.now())
        for delivery, _ in accepted:
            self.delivered[delivery.notifier, delivery.alert.state] += 1
            _LOG.info("alert_delivered", notifier=delivery.notifier, alert=delivery.alert.alert_id)
        for name in {delivery.notifier for delivery, _ in accepted} & await self._load_dead_notifiers():
            await self._resolve_dead_letter(name)

    async def _requeue(self, delivery: Delivery, error: NotifierError) -> None:
        self.failed[delivery.notifier, error.reason] += 1
        age_s = (self.now() - delivery.alert.created_at).total_seconds()
        must_continue = age_s < GIVE_UP_AFTER_S or await self._is_active(delivery.alert.incident_id)
        retry_at = (
            self.now() + timedelta(seconds=self._retry_delay_s(delivery.attempts, error)) if must_continue else None
        )
        attempts = REPORTED_ATTEMPTS[error.reason.is_worth_retrying]
        if retry_at is None or delivery.attempts in attempts:
            await self._open_dead_letter(delivery, error)
        _LOG.warning("alert_undelivered", notifier=delivery.notifier, problem=str(error), is_dead=retry_at is None)
        await self.store.mark_undelivered(delivery.delivery_id, error.reason, error.detail, next_attempt_at=retry_at)

    async def _open_dead_letter(self, delivery: Delivery, error: NotifierError) -> None:
        """Alert the other notifiers, before the failure is recorded, so that a crash in between loses nothing."""
        if delivery.notifier in await self._load_dead_notifiers():
            return
        self.dead[delivery.notifier, error.reason] += 1
        data = delivery.alert.payload.get("data", {})
        fault = operational.dead_letter(
            delivery.notifier,
            data.get("target", ""),
            Severity(data.get("severity", Severity.WARNING)),
            alert_id=delivery.alert.alert_id,
            problem=str(error),
        )
        at = self.now()
        (await self._load_dead_notifiers()).add(delivery.notifier)
        await paging.update_incident(
            IncidentKind.DEAD_LETTER,
            delivery.notifier,
            lambda current: operational.open_incident(current, fault, self.on_call, at=at),
            self.store,
            dedup_key=fault.dedup_key,
        )
        self.wake()

    async def _resolve_dead_letter(self, name: str) -> None:
        at = self.now()
        facts = {"summary": f"Notifier {name} delivers alerts again."}
        await paging.update_incident(
            IncidentKind.DEAD_LETTER,
            name,
            lambda current: operational.resolve_incident(current, self.on_call, at=at, facts=facts),
            self.store,
        )
        (await self._load_dead_notifiers()).discard(name)
        self.wake()

    async def _is_active(self, incident_id: str) -> bool:
        try:
            return (await self.store.load_incident(incident_id)).is_active
        except StoreError:
            return False

    async def _load_dead_notifiers(self) -> set[str]:
        if self._dead_notifiers is None:
            active = [each for each in await self.store.list_incidents(limit=1_000) if each.is_active]
            self._dead_notifiers = {each.subject for each in active if each.kind is IncidentKind.DEAD_LETTER}
        return self._dead_notifiers

    def _retry_delay_s(self, attempts: int, error: NotifierError) -> float:
        """Exponential backoff, or the delay that the receiver requested; with jitter, and never above the limit."""
        if error.retry_after_s is not None:
            return min(error.retry_after_s * self.rng.uniform(1.0, 1.1), MAX_WAIT_S)
        shortest = 1.0 if error.reason.is_worth_retrying else PERMANENT_WAIT_S
        return min(shortest * 2.0 ** min(attempts - 1, 30), MAX_WAIT_S) * self.rng.uniform(0.5, 1.0)
