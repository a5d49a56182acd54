"""Which process runs a slot: each due time of a schedule is taken once, and taken over if its owner dies.

An owner counts a heartbeat of its slots up. Another process takes a slot over once it has seen no heartbeat for a
lease, by its own monotonic clock, so that no clock of any machine matters. An owner of this machine that has ended,
and a slot that was handed back, need no wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, TypeVar

import structlog

from monitor.errors import StoreError
from monitor.model.slots import Peer, Slot, SlotStatus
from monitor.ports.service import SlotStore
from monitor.service.abandoned_runs import has_ended, this_process

_LOG = structlog.get_logger(__name__)

BEAT_S = 3.0
"""Heartbeats are this far apart."""
LEASE_S = 20.0
"""Without a heartbeat for this long an owner is dead. With one check in between, a slot is taken over within 30 s."""

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class Heartbeats(Generic[K]):
    """Which counters have stood still for a lease, by the monotonic clock of the observer."""

    elapsed_s: Callable[[], float] = time.monotonic
    _seen: dict[K, tuple[int, float]] = field(default_factory=dict)
    _checked_s: float = float("-inf")

    def stale(self, counters: Mapping[K, int]) -> set[K]:
        """The counters that did not move for a lease, while this process looked at them all the time."""
        now_s = self.elapsed_s()
        if now_s - self._checked_s > 2 * BEAT_S:
            self._seen.clear()  # this process, or its database, was away: the others may have been too
        self._checked_s = now_s
        self._seen = {
            key: before if (before := self._seen.get(key)) and before[0] == count else (count, now_s)
            for key, count in counters.items()
        }
        return {key for key, (_, since_s) in self._seen.items() if now_s - since_s >= LEASE_S}


@dataclass(slots=True)
class Slots:
    """The slots of this process."""

    store: SlotStore
    owner: str = field(default_factory=this_process)
    schedules: Mapping[str, str] = field(default_factory=dict)
    """Schedules of this process → their targets."""
    elapsed_s: Callable[[], float] = time.monotonic
    takeovers: int = 0
    """Slots of other processes that this one took over."""
    peers: Mapping[str, Peer] = field(default_factory=dict)
    """The other processes that are alive, as far as is known."""
    _running: dict[tuple[str, datetime], tuple[Slot, asyncio.Task[None] | None]] = field(default_factory=dict)
    _ended: dict[tuple[str, datetime], tuple[Slot, bool]] = field(default_factory=dict)
    """Slots whose cycle ended while the store was away, and whether it had data."""
    _beats: int = 0
    _slot_beats: Heartbeats[tuple[str, datetime, str]] = field(init=False)
    _peer_beats: Heartbeats[str] = field(init=False)

    def __post_init__(self) -> None:
        self._slot_beats, self._peer_beats = Heartbeats(self.elapsed_s), Heartbeats(self.elapsed_s)

    async def claim(
        self, schedule: str, scheduled_at: datetime, plan_digest: str = "", *, alone: bool = True
    ) -> Slot | None:
        """Take a slot; None if another process took it before, or with ``alone`` still runs an earlier one."""
        slot = Slot(schedule=schedule, scheduled_at=scheduled_at, owner=self.owner, plan_digest=plan_digest)
        return slot if await self.store.claim_slot(slot, alone=alone) else None

    def started(self, slot: Slot, task: asyncio.Task[None] | None = None) -> None:
        """Keep a slot alive from now on; ``task`` is cancelled if another process takes the slot over."""
        self._running[slot.key] = slot, task

    async def finish(self, slot: Slot, *, has_data: bool) -> None:
        """Mark a slot finished; while the store is away, it stays this process's until it is."""
        self._running[slot.key] = slot, None  # its cycle has ended, so a heartbeat has nothing to cancel
        try:
            await self._finish(slot, has_data=has_data)
        except StoreError:
            self._ended[slot.key] = slot, has_data

    async def _finish(self, slot: Slot, *, has_data: bool) -> None:
        if not await self.store.finish_slot(slot, has_data=has_data):
            _LOG.warning("slot_lost", schedule=slot.schedule, scheduled_at=slot.scheduled_at.isoformat())
        self._ended.pop(slot.key, None)
        self._running.pop(slot.key, None)

    async def hand_back(self, slot: Slot) -> None:
        """Offer a slot to other processes, because this one stops before its cycle has ended."""
        self._running.pop(slot.key, None)
        await self.store.hand_back_slot(slot)

    async def keep_forever(self, take_over: Callable[[Slot], None]) -> None:
        """Keep the slots of this process alive, and pass on those of dead ones.

        1. Mark the slots that ended while the store was away.
        2. Count the heartbeats of this process and of its slots up; give up those that it lost.
        3. Read the heartbeats of the others.
        4. Pass the slots of dead owners on to ``take_over``.
        """
        while True:
            try:
                for ended, has_data in list(self._ended.values()):
                    await self._finish(ended, has_data=has_data)
                await self._beat()
                await self._watch_peers()
                for slot in await self.orphans():
                    take_over(slot)
            except StoreError as error:
                _LOG.warning("no_heartbeat", problem=str(error))
            await asyncio.sleep(BEAT_S)

    async def leave(self) -> None:
        """Remove this process from those that serve schedules."""
        await self.store.forget_peer(self.owner)

    async def take_over(self, slot: Slot) -> Slot | None:
        """Take a slot from an owner that is gone; None if another process was faster."""
        heir = await self.store.take_over_slot(slot, self.owner)
        if heir is None:
            return None
        self.takeovers += slot.status is SlotStatus.RUNNING
        _LOG.warning("slot_taken_over", schedule=slot.schedule, owner=slot.owner, status=slot.status)
        return replace(heir, previous_owner=slot.owner)

    async def _beat(self) -> None:
        self._beats += 1
        running = dict(self._running)
        owned = await self.store.beat(Peer(self.owner, self._beats, dict(self.schedules)), running.keys())
        for key in running.keys() - owned:
            slot, task = self._running.pop(key, (None, None))
            if slot is not None and task is not None:
                _LOG.warning("slot_lost", schedule=slot.schedule, scheduled_at=slot.scheduled_at.isoformat())
                task.cancel()

    async def _watch_peers(self) -> None:
        others = {peer.owner: peer for peer in await self.store.peers() if peer.owner != self.owner}
        stale = self._peer_beats.stale({owner: peer.heartbeat for owner, peer in others.items()})
        for owner in stale | {owner for owner in others if has_ended(owner)}:
            await self.store.forget_peer(owner)
            del others[owner]
        self.peers = others

    async def orphans(self) -> list[Slot]:
        """The open slots of this process's schedules whose owner is gone."""
        slots = await self.store.open_slots(self.schedules)
        others = {(*slot.key, slot.owner): slot for slot in slots if slot.key not in self._running}
        stale = self._slot_beats.stale({key: slot.heartbeat for key, slot in others.items()})
        return [
            slot
            for key, slot in others.items()
            if slot.status is SlotStatus.HANDED_BACK or key in stale or has_ended(slot.owner)
        ]
