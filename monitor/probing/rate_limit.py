"""Rate limiting, rests and circuit breaking for one target."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from monitor.config.limits import Limits
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.ports.targets import Retriever

RECOVERY_S = 30.0
"""Seconds in which a reduced pace doubles again."""
SLOWEST = 1.0
"""Lowest pace in probes a second; a slower target counts as an outage."""
MOST_RESTS = 2
"""After this many rests in a row without a success, probes fail at once until the rest is over."""
WORTH_A_LINE_S = 5.0
"""A longer rest is logged."""
_OUT = frozenset({Reason.TIMEOUT, Reason.UNREACHABLE, Reason.BROKEN})
_LOG = structlog.get_logger(__name__)


@dataclass(slots=True)
class RateLimitedRetriever:
    """A retriever with a rate limit, rests and a circuit breaker.

    A refused probe is a failure with a reason, never a zero. Probes leave at most at ``rate``. Each rate-limit response
    halves the pace, which then recovers by itself. A target that sends Retry-After, with any status, is left alone
    for that time; then a single probe decides whether the others follow.
    """

    retriever: Retriever
    limits: Limits
    clock: Callable[[], float] = time.monotonic
    _next_at: float = 0.0
    _slowed_at: float = 0.0
    _slowed_to: float = 0.0
    _unanswered: int = 0
    _open_until: float = 0.0
    _rest_until: float = 0.0
    _n_rests: int = 0
    _trial: asyncio.Lock = field(default_factory=asyncio.Lock)
    concurrency: int = field(init=False)

    def __post_init__(self) -> None:
        self.concurrency = self.retriever.concurrency

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first, after waiting for its turn."""
        if self._open_until:
            return await self._probe_recovery(query, k)
        if self._n_rests:
            return await self._probe_after_rest(query, k)
        await self._take_turn()
        # A rest may have begun while this probe waited for its turn.
        return await (self._probe_after_rest(query, k) if self._n_rests else self._send(query, k))

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

    def status(self) -> str:
        """Why probes wait, for people; empty if they do not."""
        now = self.clock()
        if self._open_until > now:
            return f"paused for {self._open_until - now:.0f} s: {self._unanswered} probes in a row had no answer"
        if self._rest_until > now:
            return f"resting for {self._rest_until - now:.0f} s, as the target requests (Retry-After)"
        return ""

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

    async def _probe_after_rest(self, query: str, k: int) -> Ranking:
        """Wait for the end of the rest; the first probe decides whether the others follow or fail."""
        async with self._trial:
            if self._n_rests:
                remaining_s = self._rest_until - self.clock()
                if remaining_s > 0 and self._n_rests > MOST_RESTS:
                    detail = f"not sent: the target requested {self._n_rests} rests in a row"
                    raise RetrieverError(Reason.RATE_LIMITED, detail)
                if remaining_s > 0:
                    await asyncio.sleep(remaining_s)
                return await self._send(query, k)
        await self._take_turn()
        return await self._send(query, k)

    async def _send(self, query: str, k: int) -> Ranking:
        n_rests = self._n_rests
        try:
            ranking = await self.retriever.retrieve(query, k)
        except RetrieverError as error:
            self._record_failure(error, n_rests)
            raise
        self._unanswered, self._open_until = 0, 0.0
        if n_rests == self._n_rests:  # else the probe left before the rest began
            self._n_rests, self._rest_until = 0, 0.0
        return ranking

    def _record_failure(self, error: RetrieverError, n_rests: int) -> None:
        if error.reason is Reason.RATE_LIMITED:
            pace = self.pace() or float(self.concurrency)
            self._slowed_to, self._slowed_at = max(pace / 2, SLOWEST), self.clock()
        if error.retry_after_s:
            self._begin_rest(min(error.retry_after_s, self.limits.longest_rest_s), n_rests)
        elif n_rests == self._n_rests:
            self._n_rests = 0
        self._unanswered = self._unanswered + 1 if error.reason in _OUT else 0
        if self._unanswered >= self.limits.breaker_after:
            self._open_until = self.clock() + self.limits.breaker_rest_s

    def _begin_rest(self, rest_s: float, n_rests: int) -> None:
        """Start or extend a rest; requests of probes that left before a rest began count as the same rest."""
        if n_rests == self._n_rests:
            self._n_rests += 1
            if rest_s > WORTH_A_LINE_S:
                _LOG.warning("the target requests a rest", seconds=rest_s, in_a_row=self._n_rests)
        self._rest_until = max(self._rest_until, self.clock() + rest_s)
