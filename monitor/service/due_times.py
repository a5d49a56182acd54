"""When cycles are due, whatever the clock of the machine does.

Slots are named by wall-clock time, and counted by the monotonic clock. A clock that is set forward, or a machine that
was suspended, is followed at once; the slots in between are one cycle (the latest of them). A clock that is set back
does not stop probing: time goes on as before, until the clock has caught up, or has been behind for a day.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

TOLERANCE = timedelta(seconds=30)
"""A clock that is behind by less was corrected, not set back."""
ADOPTED_AFTER_S = 86_400.0
"""A clock that has been behind for this long is right."""


def utc_now() -> datetime:
    """The clock of the machine, aware and in UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class SteadyClock:
    """Wall-clock time that never goes back by more than the tolerance."""

    wall: Callable[[], datetime] = utc_now
    elapsed_s: Callable[[], float] = time.monotonic
    _anchor: datetime = field(init=False)
    _anchored_s: float = field(init=False)
    _behind_since_s: float | None = None

    def __post_init__(self) -> None:
        self._anchor, self._anchored_s = self.wall(), self.elapsed_s()

    def now(self) -> datetime:
        """The time now."""
        wall, elapsed_s = self.wall(), self.elapsed_s()
        steady = self._anchor + timedelta(seconds=elapsed_s - self._anchored_s)
        if steady - wall <= TOLERANCE:
            self._behind_since_s = None
        elif self._behind_since_s is None:
            self._behind_since_s = elapsed_s
        if self._behind_since_s is None or elapsed_s - self._behind_since_s >= ADOPTED_AFTER_S:
            self._anchor, self._anchored_s, self._behind_since_s = wall, elapsed_s, None
            return wall
        return steady

    @property
    def behind_s(self) -> float:
        """How far the clock of the machine is behind; 0 while it is right."""
        return max(0.0, (self.now() - self.wall()).total_seconds())
