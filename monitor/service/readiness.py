"""Whether the daemon can work now, for `/readyz`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Readiness:
    """Ready once the store is open and the first schedule is planned, while the database answers."""

    store_is_open: bool = False
    schedules_are_planned: bool = False
    database_answers: bool = True
    """Whether the daemon's latest periodic query succeeded."""

    is_draining: bool = False
    """Whether the daemon stops, and finishes its running cycles."""

    @property
    def status(self) -> str:
        """``ready``, ``starting``, ``draining`` or ``database_unreachable``."""
        if self.is_draining:
            return "draining"
        if not (self.store_is_open and self.schedules_are_planned):
            return "starting"
        return "ready" if self.database_answers else "database_unreachable"
