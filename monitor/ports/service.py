"""What processes of the service share through their store: slots of schedules, signs of life, and cheap counts.

No statement reads the clock of a caller: an owner counts heartbeats, and an observer measures the time in between.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from monitor.model.deployments import Deployment
from monitor.model.incidents import Incident
from monitor.model.slots import Peer, Slot
from monitor.ports.store import Store


class SlotStore(Protocol):
    """Storage that processes share to divide their work. Raises `StoreError` and nothing else."""

    async def claim_slot(self, slot: Slot, *, alone: bool = True) -> bool:
        """Take a slot. Returns False if any process took it before.

        ``alone`` also refuses it while the latest slot of the schedule is running in another process.
        """
        ...

    async def latest_slot(self, schedule: str) -> Slot | None:
        """The slot of a schedule with the latest due time."""
        ...

    async def take_over_slot(self, slot: Slot, owner: str) -> Slot | None:
        """Take a slot from an owner that is gone; None if it moved on meanwhile."""
        ...

    async def beat(self, peer: Peer, slots: Collection[tuple[str, datetime]]) -> set[tuple[str, datetime]]:
        """Store a sign of life of a process and of its running slots; return the slots that it still owns."""
        ...

    async def open_slots(self, schedules: Collection[str]) -> list[Slot]:
        """The latest slot of each of these schedules, where it is not finished."""
        ...

    async def peers(self) -> list[Peer]:
        """Every process that has not left."""
        ...

    async def forget_peer(self, owner: str) -> None:
        """Remove a process that left or died."""
        ...

    async def finish_slot(self, slot: Slot, *, has_data: bool) -> bool:
        """Mark a slot finished. Returns False if another process took it over."""
        ...

    async def hand_back_slot(self, slot: Slot) -> None:
        """Offer a slot whose cycle did not end to other processes."""
        ...

    async def serve_schedules(self, installation: str, schedules: Collection[str]) -> list[str]:
        """Store the schedules of an installation; return those that it had before and that no installation has now."""
        ...

    async def seconds_since_data(self, schedules: Collection[str]) -> Mapping[str, float]:
        """Time since the latest slot with data ended, by the clock of the database; without any, no entry."""
        ...


class ServiceStore(Store, SlotStore, Protocol):
    """A store that a daemon works on."""

    @property
    def connections(self) -> tuple[int, int]:
        """Number of connections in use, and the largest number that this process opens."""
        ...

    async def deployments_after(self, deployment_id: int) -> Sequence[tuple[int, Deployment]]:
        """Deployments that were declared after this one, with their ids, in order."""
        ...

    async def latest_deployment_id(self) -> int:
        """The id of the deployment that was declared last; 0 without any."""
        ...

    async def active_incidents(self, limit: int) -> list[Incident]:
        """Active incidents, without reading the others."""
        ...

    async def outbox_backlog(self) -> tuple[int, int, datetime | None]:
        """Number of pending and of dead deliveries, and when the oldest pending alert was queued."""
        ...
