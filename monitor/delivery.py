"""Emptying the outbox: every queued alert reaches its notifier at least once, in order per incident."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from monitor.errors import NotifierError, Reason, StoreError
from monitor.ports import Notifier, Store
from monitor.verdict import Delivery

_LOG = structlog.get_logger(__name__)

LEASE_S = 60.0
"""After this long without a word, somebody else may send the alert."""
MAX_ATTEMPTS = 20
MAX_WAIT_S = 3_600.0
IDLE_S = 0.5


@dataclass(slots=True)
class Courier:
    """Takes alerts from the outbox to their notifiers."""

    store: Store
    notifiers: Mapping[str, Notifier]
    now: Callable[[], datetime]
    rng: random.Random = field(default_factory=random.Random)
    delivered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Alerts accepted, by notifier and state."""
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Attempts refused, by notifier and reason."""

    async def deliver_forever(self) -> None:
        """Deliver what is due, for as long as the daemon lives."""
        while True:
            try:
                had_work = await self.deliver_due()
            except StoreError as error:
                _LOG.error("outbox_unreachable", problem=str(error))
                had_work = False
            if not had_work:
                await asyncio.sleep(IDLE_S)

    async def deliver_due(self) -> int:
        """Deliver everything that is due now; how many alerts were tried."""
        # What is meant for a notifier that was configured away stays in the outbox until it is back.
        leased = await self.store.lease_deliveries(tuple(self.notifiers), 32, self.now(), LEASE_S)
        await asyncio.gather(*(self._deliver(delivery) for delivery in leased))
        return len(leased)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            await asyncio.wait_for(self.notifiers[delivery.notifier].notify(delivery.alert), LEASE_S / 2)
        except NotifierError as error:
            await self._put_back(delivery, error)
        except TimeoutError:
            await self._put_back(delivery, NotifierError(Reason.TIMEOUT, "no answer"))
        except Exception as error:  # noqa: BLE001 - a notifier with a bug must not stop the others
            await self._put_back(delivery, NotifierError(Reason.BROKEN, f"a bug in the notifier: {error!r}"))
        else:
            await self.store.mark_delivered(delivery.delivery_id, self.now())
            self.delivered[delivery.notifier, delivery.alert.state] += 1
            _LOG.info("alert_delivered", notifier=delivery.notifier, alert=delivery.alert.alert_id)

    async def _put_back(self, delivery: Delivery, error: NotifierError) -> None:
        self.failed[delivery.notifier, error.reason] += 1
        again = None
        if error.reason.is_worth_retrying and delivery.attempts < MAX_ATTEMPTS:
            again = self.now() + timedelta(seconds=self._wait_s(delivery, error))
        _LOG.warning("alert_undelivered", notifier=delivery.notifier, problem=str(error), is_dead=again is None)
        await self.store.mark_undelivered(delivery.delivery_id, error.reason, error.detail, next_attempt_at=again)

    def _wait_s(self, delivery: Delivery, error: NotifierError) -> float:
        """Exponential with jitter, unless the receiver says when to come back."""
        if error.retry_after_s is not None:
            return min(error.retry_after_s, MAX_WAIT_S)
        return min(2.0 ** min(delivery.attempts - 1, 30), MAX_WAIT_S) * self.rng.uniform(0.5, 1.0)
