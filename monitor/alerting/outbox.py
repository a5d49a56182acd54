"""Emptying the outbox: every queued alert reaches its notifier at least once, in order per incident."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from monitor.alerting import paging
from monitor.errors import NotifierError, Reason, StoreError
from monitor.incidents import operational
from monitor.incidents.routing import OnCall
from monitor.model.alerts import Delivery
from monitor.model.deployments import Swap
from monitor.model.incidents import IncidentKind, Severity
from monitor.ports.store import Store
from monitor.ports.targets import ChangeListener, Notifier

_LOG = structlog.get_logger(__name__)

LEASE_S = 60.0
"""After this long without a word, somebody else may send the alert."""
MAX_ATTEMPTS = 20
MAX_WAIT_S = 3_600.0
IDLE_S = 1.0
"""How often the outbox is looked at for retries, and for what other processes queued."""
BATCH = 64
"""Alerts that are sent to one notifier at a time."""


@dataclass(slots=True)
class OutboxWorker:
    """Takes alerts from the outbox to their notifiers."""

    store: Store
    notifiers: Mapping[str, Notifier]
    now: Callable[[], datetime]
    rng: random.Random = field(default_factory=random.Random)
    delivered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Alerts accepted, by notifier and state."""
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Attempts refused, by notifier and reason."""
    dead: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Alerts given up, by notifier and reason."""
    on_call: OnCall = field(default_factory=OnCall)
    """Who is told of a notifier that takes no alerts."""
    _announcing: set[asyncio.Task[None]] = field(default_factory=set)
    _wakeups: dict[str, asyncio.Event] = field(default_factory=dict)
    _dead_notifiers: set[str] | None = None
    """Notifiers of which on-call was told that they take no alerts; None until the store was asked."""

    def announce(self, swaps: Sequence[Swap]) -> None:
        """Show changes to the notifiers that can show them, without waiting for it.

        A change is a remark beside the page, not the page: it is tried once, and a failure is counted.
        """
        for swap in swaps:
            for name, notifier in self.notifiers.items():
                if isinstance(notifier, ChangeListener):
                    task = asyncio.create_task(self._announce(name, notifier, swap))
                    self._announcing.add(task)
                    task.add_done_callback(self._announcing.discard)

    async def _announce(self, name: str, notifier: ChangeListener, swap: Swap) -> None:
        try:
            await asyncio.wait_for(notifier.announce(swap), LEASE_S / 2)
        except (NotifierError, TimeoutError) as error:
            reason = error.reason if isinstance(error, NotifierError) else Reason.TIMEOUT
            self.failed[name, reason] += 1
            _LOG.warning("change_not_announced", notifier=name, target=swap.target, problem=str(error))

    def wake(self) -> None:
        """Look at the outbox now: something was queued."""
        for bell in self._wakeups.values():
            bell.set()

    async def deliver_forever(self) -> None:
        """Deliver what is due, for as long as the daemon lives; a slow notifier holds up no other."""
        await asyncio.gather(*(self._deliver_forever(name) for name in self.notifiers))

    async def _deliver_forever(self, name: str) -> None:
        bell = self._wakeups.setdefault(name, asyncio.Event())
        while True:
            bell.clear()
            try:
                had_work = await self.deliver_due((name,))
            except StoreError as error:
                _LOG.error("outbox_unreachable", problem=str(error))
                had_work = False
            if not had_work:
                with suppress(TimeoutError):
                    await asyncio.wait_for(bell.wait(), IDLE_S)

    async def deliver_due(self, names: Sequence[str] | None = None) -> int:
        """Deliver what is due now, to these notifiers or to all; how many alerts were tried."""
        # What is meant for a notifier that was configured away stays in the outbox until it is back.
        asked = tuple(self.notifiers) if names is None else tuple(names)
        leased = await self.store.lease_deliveries(asked, BATCH, self.now(), LEASE_S)
        errors = await asyncio.gather(*(self._attempt(delivery) for delivery in leased))
        await self._settle([delivery for delivery, error in zip(leased, errors, strict=True) if error is None])
        for delivery, error in zip(leased, errors, strict=True):
            if error is not None:
                await self._put_back(delivery, error)
        return len(leased)

    async def _attempt(self, delivery: Delivery) -> NotifierError | None:
        try:
            await asyncio.wait_for(self.notifiers[delivery.notifier].notify(delivery.alert), LEASE_S / 2)
        except NotifierError as error:
            return error
        except TimeoutError:
            return NotifierError(Reason.TIMEOUT, "no answer")
        except Exception as error:  # noqa: BLE001 - a notifier with a bug must not stop the others
            return NotifierError(Reason.BROKEN, f"a bug in the notifier: {error!r}")
        return None

    async def _settle(self, accepted: Sequence[Delivery]) -> None:
        if not accepted:
            return
        await self.store.mark_delivered([delivery.delivery_id for delivery in accepted], self.now())
        for delivery in accepted:
            self.delivered[delivery.notifier, delivery.alert.state] += 1
            _LOG.info("alert_delivered", notifier=delivery.notifier, alert=delivery.alert.alert_id)
        for name in {delivery.notifier for delivery in accepted} & await self._known_mute():
            await self._tell_that_it_works(name)

    async def _put_back(self, delivery: Delivery, error: NotifierError) -> None:
        self.failed[delivery.notifier, error.reason] += 1
        again = None
        if error.reason.is_worth_retrying and delivery.attempts < MAX_ATTEMPTS:
            again = self.now() + timedelta(seconds=self._wait_s(delivery, error))
        else:
            await self._tell_of_dead_letter(delivery, error)
        _LOG.warning("alert_undelivered", notifier=delivery.notifier, problem=str(error), is_dead=again is None)
        await self.store.mark_undelivered(delivery.delivery_id, error.reason, error.detail, next_attempt_at=again)

    async def _tell_of_dead_letter(self, delivery: Delivery, error: NotifierError) -> None:
        """Tell the other notifiers; before the letter is marked, so that a crash in between forgets nothing."""
        self.dead[delivery.notifier, error.reason] += 1
        data = delivery.alert.payload.get("data", {})
        trouble = operational.dead_letter(
            delivery.notifier,
            data.get("target", ""),
            Severity(data.get("severity", Severity.WARNING)),
            alert_id=delivery.alert.alert_id,
            problem=str(error),
        )
        at = self.now()
        (await self._known_mute()).add(delivery.notifier)
        await paging.move(
            IncidentKind.DEAD_LETTER,
            delivery.notifier,
            lambda found: operational.begin(found, trouble, self.on_call, at=at),
            self.store,
        )
        self.wake()

    async def _tell_that_it_works(self, name: str) -> None:
        at = self.now()
        facts = {"summary": f"The notifier {name} takes alerts again."}
        await paging.move(
            IncidentKind.DEAD_LETTER,
            name,
            lambda found: operational.end(found, self.on_call, at=at, facts=facts),
            self.store,
        )
        (await self._known_mute()).discard(name)
        self.wake()

    async def _known_mute(self) -> set[str]:
        if self._dead_notifiers is None:
            lasting = [each for each in await self.store.list_incidents(limit=1_000) if each.is_active]
            self._dead_notifiers = {each.subject for each in lasting if each.kind is IncidentKind.DEAD_LETTER}
        return self._dead_notifiers

    def _wait_s(self, delivery: Delivery, error: NotifierError) -> float:
        """Exponential with jitter, unless the receiver says when to come back."""
        if error.retry_after_s is not None:
            return min(error.retry_after_s, MAX_WAIT_S)
        return min(2.0 ** min(delivery.attempts - 1, 30), MAX_WAIT_S) * self.rng.uniform(0.5, 1.0)
