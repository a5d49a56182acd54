"""Slots of schedules in memory."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.model.slots import Peer, Slot, SlotStatus


@dataclass(slots=True)
class MemorySlots:
    """Slots, processes and times of data in dictionaries."""

    slots: dict[tuple[str, datetime], Slot] = field(default_factory=dict)
    alive: dict[str, Peer] = field(default_factory=dict)
    data_at_s: dict[str, float] = field(default_factory=dict)
    served: dict[str, set[str]] = field(default_factory=dict)
    """Schedules by installation."""

    async def claim_slot(self, slot: Slot, *, alone: bool = True) -> bool:
        """Take a slot. Returns False if any process took it before."""
        latest = await self.latest_slot(slot.schedule)
        is_busy = latest is not None and latest.status is SlotStatus.RUNNING and latest.owner != slot.owner
        if alone and is_busy:
            return False
        return self.slots.setdefault(slot.key, slot) is slot

    async def latest_slot(self, schedule: str) -> Slot | None:
        """The slot of a schedule with the latest due time."""
        own = [slot for slot in self.slots.values() if slot.schedule == schedule]
        return max(own, key=lambda slot: slot.scheduled_at, default=None)

    async def take_over_slot(self, slot: Slot, owner: str) -> Slot | None:
        """Take a slot from an owner that is gone; None if it moved on meanwhile."""
        if self.slots.get(slot.key) != slot or slot.status is SlotStatus.FINISHED:
            return None
        heir = self.slots[slot.key] = replace(
            slot, owner=owner, status=SlotStatus.RUNNING, heartbeat=slot.heartbeat + 1, takeovers=slot.takeovers + 1
        )
        return heir

    async def beat(self, peer: Peer, slots: Collection[tuple[str, datetime]]) -> set[tuple[str, datetime]]:
        """Store a sign of life of a process and of its running slots; return the slots that it still owns."""
        self.alive[peer.owner] = peer
        own = {key for key in slots if self._is_owned(key, peer.owner)}
        for key in own:
            self.slots[key] = replace(self.slots[key], heartbeat=self.slots[key].heartbeat + 1)
        return own

    async def open_slots(self, schedules: Collection[str]) -> list[Slot]:
        """The latest slot of each of these schedules, where it is not finished."""
        latest = [await self.latest_slot(schedule) for schedule in schedules]
        return [slot for slot in latest if slot is not None and slot.status is not SlotStatus.FINISHED]

    async def peers(self) -> list[Peer]:
        """Every process that has not left."""
        return list(self.alive.values())

    async def forget_peer(self, owner: str) -> None:
        """Remove a process that left or died."""
        self.alive.pop(owner, None)

    async def finish_slot(self, slot: Slot, *, has_data: bool) -> bool:
        """Mark a slot finished. Returns False if another process took it over."""
        if not self._is_owned(slot.key, slot.owner):
            return False
        self.slots[slot.key] = replace(self.slots[slot.key], status=SlotStatus.FINISHED)
        if has_data:
            self.data_at_s[slot.schedule] = time.monotonic()
        return True

    async def hand_back_slot(self, slot: Slot) -> None:
        """Offer a slot whose cycle did not end to other processes."""
        if self._is_owned(slot.key, slot.owner):
            self.slots[slot.key] = replace(self.slots[slot.key], status=SlotStatus.HANDED_BACK)

    async def serve_schedules(self, installation: str, schedules: Collection[str]) -> list[str]:
        """Store the schedules of an installation; return those that it had before and that no installation has now."""
        before = self.served.get(installation, set())
        self.served[installation] = set(schedules)
        return sorted(before.difference(*self.served.values()))

    async def seconds_since_data(self, schedules: Collection[str]) -> Mapping[str, float]:
        """Time since the latest slot with data ended; without any, no entry."""
        now_s = time.monotonic()
        return {name: now_s - at_s for name, at_s in self.data_at_s.items() if name in schedules}

    def _is_owned(self, key: tuple[str, datetime], owner: str) -> bool:
        slot = self.slots.get(key)
        return slot is not None and slot.owner == owner and slot.status is SlotStatus.RUNNING
