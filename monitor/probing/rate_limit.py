"""Being a polite guest: how hard a target may be asked, and when it is left alone."""

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
"""Seconds in which the pace doubles again after the target asked for less."""
SLOWEST = 1.0
"""Probes a second below which a pace is never cut: slower is no pace but an outage."""
_OUT = frozenset({Reason.TIMEOUT, Reason.UNREACHABLE})


@dataclass(slots=True)
class RateLimitedRetriever:
    """A retriever asked no harder than it bears. What is held back is a failure with a reason, never a zero.

    The pace is a bucket that fills at ``rate``; each time the target says that it is asked too much, the pace is
    halved, and it recovers by itself.
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
        """Return the ``k`` best documents for the query, best first, once it is its turn."""
        if self._open_until:
            return await self._try_again(query, k)
        await self._take_turn()
        return await self._ask(query, k)

    async def close(self) -> None:
        """Give back connections and memory."""
        await self.retriever.close()

    def pace(self) -> float | None:
        """Probes a second at this moment; None where there is no limit."""
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

    async def _try_again(self, query: str, k: int) -> Ranking:
        """One probe at a time, once the rest is over; until it is answered, the others fail at once."""
        if self.clock() < self._open_until or self._trial.locked():
            raise RetrieverError(
                Reason.UNREACHABLE, f"left alone after {self._unanswered} probes in a row without an answer"
            )
        async with self._trial:
            return await self._ask(query, k)

    async def _ask(self, query: str, k: int) -> Ranking:
        try:
            ranking = await self.retriever.retrieve(query, k)
        except RetrieverError as error:
            self._note(error)
            raise
        self._unanswered, self._open_until = 0, 0.0
        return ranking

    def _note(self, error: RetrieverError) -> None:
        if error.reason is Reason.RATE_LIMITED:
            pace = self.pace() or float(self.concurrency)
            self._slowed_to, self._slowed_at = max(pace / 2, SLOWEST), self.clock()
            if error.retry_after_s:
                self._next_at = max(self._next_at, self.clock() + error.retry_after_s)
        self._unanswered = self._unanswered + 1 if error.reason in _OUT else 0
        if self._unanswered >= self.limits.breaker_after:
            self._open_until = self.clock() + self.limits.breaker_rest_s
