"""The slots of one schedule, one after the other, as they become due and are free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from monitor.config.config import Schedule
from monitor.errors import StoreError
from monitor.model.slots import Slot, SlotStatus
from monitor.service.abandoned_runs import has_ended
from monitor.service.due_times import SteadyClock
from monitor.service.slots import Slots
from monitor.service.triggers import Trigger, latest_until, next_after, trigger_of

_LOG = structlog.get_logger(__name__)

RECHECK_S = 2.0
"""A waiting schedule looks at the clock this often, because a clock can be set and a machine suspended."""
RETRY_S = 2.0
"""While the database is away, a slot that is due is tried again this often."""
NONE = timedelta(0)


@dataclass(slots=True, kw_only=True)
class DueSlots:
    """Takes the slots of a schedule for this process. Slots that passed meanwhile are one: the latest of them."""

    name: str
    schedule: Schedule
    plan_digest: str
    slots: Slots
    delay: timedelta = NONE
    """Time from a due time to its cycle, so that schedules do not start in the same instant."""
    clock: SteadyClock = field(default_factory=SteadyClock)
    failed: Callable[[str], None] = lambda _: None
    """Called with the problem when a due slot cannot be taken because the database is away."""
    due_in: timedelta = NONE
    """Time to the next slot, as of the latest check."""
    at: datetime | None = None
    """The due time to take next."""
    _lead: timedelta = NONE
    """How far the slots are ahead of the clock, because a process began them before the clock was set back."""
    _extra: asyncio.Queue[datetime | Slot] = field(default_factory=asyncio.Queue)
    _trigger: Trigger = field(init=False)

    def __post_init__(self) -> None:
        self._trigger = trigger_of(self.schedule, where=f"schedules.{self.name}")

    def add(self, extra: datetime | Slot) -> None:
        """Take a slot beyond the due times: at an instant that all processes know, or one whose owner is gone."""
        self._extra.put_nowait(extra)

    async def take(self) -> Slot:
        """The next slot of this process.

        1. Wait until a due time, or an extra slot.
        2. Take it. If another process was first, begin again.
        """
        while True:
            extra = await self._wait()
            slot = await self._take_patiently(extra)
            if extra is None and self.at is not None:
                self._advance(self.at)
            if slot is not None:
                return slot
            await self._follow()

    def lag_s(self, slot: Slot) -> float:
        """How long after its due time a slot was taken."""
        return max(0.0, (self.clock.now() + self._lead - slot.scheduled_at).total_seconds())

    async def first_slot(self) -> datetime:
        """The latest slot until now; an additional one if that ran before, unless another process has this plan too."""
        now = self.clock.now()
        current = latest_until(self._trigger, now)
        latest = await self.slots.store.latest_slot(self.name)
        if latest is None or latest.status is not SlotStatus.FINISHED:
            return current
        peers = await self.slots.store.peers()
        is_shared = any(
            self.name in peer.schedules and peer.owner != self.slots.owner and not has_ended(peer.owner)
            for peer in peers
        )
        if is_shared and latest.plan_digest == self.plan_digest:
            return current
        self._lead = self._lead_of(latest)
        return self.clock.now() + self._lead

    async def _wait(self) -> datetime | Slot | None:
        """An extra slot; None when the time has come."""
        while self.at is None:
            try:
                self.at = await self.first_slot()
            except StoreError as error:
                self.failed(str(error))
                await asyncio.sleep(RETRY_S)
        while (left := self.at + self.delay - self._lead - self.clock.now()) > NONE:
            self.due_in = left
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left.total_seconds(), RECHECK_S)):
                    extra = await self._extra.get()
                return self._latest(extra)
        self.due_in = NONE
        return None

    def _latest(self, extra: datetime | Slot) -> datetime | Slot:
        """Several deployments that were declared meanwhile are one cycle."""
        while isinstance(extra, datetime) and not self._extra.empty():
            following = self._extra.get_nowait()
            extra = max(extra, following) if isinstance(following, datetime) else extra
        return extra

    async def _take_patiently(self, extra: datetime | Slot | None) -> Slot | None:
        """Take a slot, however long the database is away; meanwhile the due time moves on. None if it is taken."""
        has_failed = False
        while True:
            try:
                if isinstance(extra, Slot):
                    return await self.slots.take_over(extra)
                # A deployment that was declared during a cycle elsewhere is probed all the same.
                at, alone = extra or self._due(), extra is None
                return await self.slots.claim(self.name, at, self.plan_digest, alone=alone)
            except StoreError as error:
                if not has_failed:
                    _LOG.error("slot_not_taken", schedule=self.name, problem=str(error))
                    self.failed(str(error))
                has_failed = True
                await asyncio.sleep(RETRY_S)

    def _due(self) -> datetime:
        """The due time to take, or the latest one that passed since."""
        now = self.clock.now() + self._lead
        self.at = max(self.at or now, latest_until(self._trigger, now))
        return self.at

    def _advance(self, at: datetime) -> None:
        now = self.clock.now() + self._lead
        self.at = max(next_after(self._trigger, at), latest_until(self._trigger, now))
        if self.schedule.every is not None:  # after a clock was set back, an interval is still an interval
            self._lead += max(NONE, self.at - now - timedelta(seconds=self.schedule.every))

    async def _follow(self) -> None:
        """Follow another process whose slots are ahead of the clock."""
        with suppress(StoreError):
            latest = await self.slots.store.latest_slot(self.name)
            if latest is not None:
                self._lead = self._lead_of(latest)

    def _lead_of(self, latest: Slot) -> timedelta:
        """The lead after a slot of another process. Times of cron are those of the clock, which has no lead."""
        is_interval = self.schedule.every is not None
        return max(self._lead, latest.scheduled_at - self.clock.now()) if is_interval else self._lead
