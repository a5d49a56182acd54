"""The requests that a target may still be sent in 24 hours, whatever they are for."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

DAY_S = 86_400.0
SLICE_S = 60.0
"""Requests are counted in slices of this length."""


@dataclass(slots=True)
class Allowance:
    """Counts everything that a process sends to a target: probes, noise replays, answers and context replays."""

    per_day: int | None = None
    """None is without a limit."""
    clock: Callable[[], float] = time.monotonic
    _slices: deque[tuple[float, int]] = field(default_factory=deque)
    _sent: int = 0

    def take(self) -> bool:
        """Count one request; False if the budget of the day is spent."""
        if self.left() == 0:
            return False
        self.add(1)
        return True

    def add(self, count: int) -> None:
        """Count requests that were sent in another way, such as before a restart."""
        now = self.clock()
        if self._slices and now - self._slices[-1][0] < SLICE_S:
            start, sent = self._slices.pop()
            self._slices.append((start, sent + count))
        elif count:
            self._slices.append((now, count))
        self._sent += count

    def sent(self) -> int:
        """Number of requests in the past 24 hours."""
        while self._slices and self.clock() - self._slices[0][0] >= DAY_S:
            self._sent -= self._slices.popleft()[1]
        return self._sent

    def left(self) -> int | None:
        """Number of requests that may still be sent; None without a limit."""
        return None if self.per_day is None else max(self.per_day - self.sent(), 0)
