"""Swaps on the timelines of on-call services: at least once, retried like alerts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from monitor.errors import NotifierError, Reason, StoreError
from monitor.model.deployments import Announcement
from monitor.ports.store import Store
from monitor.ports.targets import ChangeListener, Notifier

_LOG = structlog.get_logger(__name__)

LEASE_S = 60.0
"""After this time without a result, another process may send the swap."""
SHOWN_FOR_S = 86_400.0
"""A swap is sent until it is this old: after that a timeline no longer needs it."""
IDLE_S = 10.0
"""Swaps that other processes stored, and retries, are looked for this often."""
BATCH = 16


@dataclass(slots=True)
class Announcer:
    """Sends stored swaps to the notifiers that can show them."""

    store: Store
    notifiers: Mapping[str, Notifier]
    now: Callable[[], datetime]
    delay_s: Callable[[int, NotifierError], float]
    """Delay until the next attempt, from the number of attempts and the latest error."""
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Failed attempts, by notifier and reason."""

    @property
    def listeners(self) -> dict[str, ChangeListener]:
        """The notifiers that can show a swap."""
        return {name: each for name, each in self.notifiers.items() if isinstance(each, ChangeListener)}

    async def announce_forever(self, wakeup: asyncio.Event) -> None:
        """Announce the swaps that are due, then wait for a wake-up or the next poll."""
        while True:
            wakeup.clear()
            try:
                had_work = await self.announce_due()
            except StoreError as error:
                _LOG.error("outbox_unreachable", problem=str(error))
                had_work = 0
            if not had_work:
                await _wait(wakeup)

    async def announce_due(self) -> int:
        """Announce the swaps that are due; return the number of attempts."""
        since = self.now() - timedelta(seconds=SHOWN_FOR_S)
        due = await self.store.lease_announcements(list(self.listeners), BATCH, self.now(), LEASE_S, since)
        await asyncio.gather(*(self._announce(announcement) for announcement in due))
        return len(due)

    async def _announce(self, announcement: Announcement) -> None:
        try:
            async with asyncio.timeout(LEASE_S / 2):
                await self.listeners[announcement.notifier].announce(announcement.swap)
        except NotifierError as error:
            await self._requeue(announcement, error)
        except TimeoutError:
            await self._requeue(announcement, NotifierError(Reason.TIMEOUT, "no response"))
        except Exception as error:  # noqa: BLE001 - a notifier with a bug must not stop the others
            await self._requeue(announcement, NotifierError(Reason.BROKEN, f"bug in the notifier: {error!r}"))
        else:
            await self.store.mark_announced(announcement, self.now())

    async def _requeue(self, announcement: Announcement, error: NotifierError) -> None:
        name, target = announcement.notifier, announcement.swap.target
        self.failed[name, error.reason] += 1
        _LOG.warning("change_not_announced", notifier=name, target=target, problem=str(error))
        retry_at = self.now() + timedelta(seconds=self.delay_s(announcement.attempts, error))
        await self.store.requeue_announcement(announcement, error.reason, next_attempt_at=retry_at)


async def _wait(wakeup: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(IDLE_S):
            await wakeup.wait()
    except TimeoutError:
        return
