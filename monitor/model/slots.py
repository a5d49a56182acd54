"""Slots: the due times of a schedule, each of which one process takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class SlotStatus(StrEnum):
    """The life of a slot."""

    RUNNING = "running"
    """A process runs its cycle."""
    HANDED_BACK = "handed_back"
    """The process stopped before its cycle ended; another one may take the slot at once."""
    FINISHED = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A due time of a schedule, and the process that took it."""

    schedule: str
    scheduled_at: datetime
    owner: str
    """Host and process, as in a run."""
    plan_digest: str = ""
    """Digest of the plan that the process had."""
    status: SlotStatus = SlotStatus.RUNNING
    heartbeat: int = 0
    """Counted up while the owner is alive."""
    takeovers: int = 0
    """How often another process took the slot over."""
    previous_owner: str = ""
    """The process that this one took the slot over from; not stored."""

    @property
    def key(self) -> tuple[str, datetime]:
        """What identifies the slot."""
        return self.schedule, self.scheduled_at


@dataclass(frozen=True, slots=True)
class Peer:
    """A process that serves schedules of this database."""

    owner: str
    heartbeat: int
    schedules: Mapping[str, str] = field(default_factory=dict)
    """Schedules of its configuration → their targets."""
