"""Rate limiting and circuit breaking for one target."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from monitor.config.limits import Limits
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.ports.targets import Retriever

RECOVERY_S = 30.0
"""Seconds in which a reduced pace doubles again."""
SLOWEST = 1.0
"""Lowest pace in probes a second; a slower target counts as an outage."""
_OUT = frozenset({Reason.TIMEOUT, Reason.UNREACHABLE})


@dataclass(slots=True)
class RateLimitedRetriever:
    """A retriever with a rate limit and a circuit breaker. A refused probe is a failure with a reason, never a zero.

    Probes leave at most at ``rate``. Each rate-limit response halves the pace, which then recovers by itself.
    """

    retriever: Retriever
    limits: Limits
    clock: Callable[[], float] = time.monotonic
    _next_at: float = 0.0
    _slowed_at: float = 0.0
    _slowed_to: float = 0.0
    _unanswered: int = 0
    _open_until: float = 0.0
    _trial: asyncio.Lock = field(default_factory=asyncio.Lock)
    concurrency: int = field(init=False)

    def __post_init__(self) -> None:
        self.concurrency = self.retriever.concurrency

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first, after waiting for its turn."""
        if self._open_until:
            return await self._probe_recovery(query, k)
        await self._take_turn()
        return await self._send(query, k)

    async def close(self) -> None:
        """Release connections and memory."""
        await self.retriever.close()

    def pace(self) -> float | None:
        """Current limit in probes a second; None without a limit."""
        if not self._slowed_to:
            return self.limits.rate
        recovered = self._slowed_to * 2 ** ((self.clock() - self._slowed_at) / RECOVERY_S)
        ceiling = self.limits.rate or 64 * self._slowed_to
        if recovered >= ceiling:
            self._slowed_to = 0.0
            return self.limits.rate
        return recovered

    async def _take_turn(self) -> None:
        pace = self.pace()
        if pace is None:
            return
        now = self.clock()
        at = max(now, self._next_at)
        self._next_at = at + 1 / pace
        if at > now:
            await asyncio.sleep(at - now)

    async def _probe_recovery(self, query: str, k: int) -> Ranking:
        """Send a single probe once the pause is over; until it succeeds, other probes fail at once."""
        if self.clock() < self._open_until or self._trial.locked():
            raise RetrieverError(Reason.UNREACHABLE, f"not sent: {self._unanswered} probes in a row had no answer")
        async with self._trial:
            return await self._send(query, k)

    async def _send(self, query: str, k: int) -> Ranking:
        try:
            ranking = await self.retriever.retrieve(query, k)
        except RetrieverError as error:
            self._record_failure(error)
            raise
        self._unanswered, self._open_until = 0, 0.0
        return ranking

    def _record_failure(self, error: RetrieverError) -> None:
        if error.reason is Reason.RATE_LIMITED:
            pace = self.pace() or float(self.concurrency)
            self._slowed_to, self._slowed_at = max(pace / 2, SLOWEST), self.clock()
            if error.retry_after_s:
                self._next_at = max(self._next_at, self.clock() + error.retry_after_s)
        self._unanswered = self._unanswered + 1 if error.reason in _OUT else 0
        if self._unanswered >= self.limits.breaker_after:
            self._open_until = self.clock() + self.limits.breaker_rest_s
