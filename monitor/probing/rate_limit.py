"""Rate limiting, rests, circuit breaking and the daily budget of one target: its retriever and its answerer.

Both share one pace and one budget. Each has its own rests and circuit breaker, so that a retriever that responds does
not hide an answerer that does not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import structlog

from monitor.config.limits import Limits
from monitor.errors import AdapterError, AnswererError, Reason, RetrieverError
from monitor.model.answers import Answer
from monitor.model.runs import Ranking
from monitor.ports.targets import Answerer, Retriever
from monitor.probing.allowance import Allowance

RECOVERY_S = 30.0
"""Seconds in which a reduced pace doubles again."""
SLOWEST = 1.0
"""Lowest pace in probes a second; a slower target counts as an outage."""
MOST_RESTS = 2
"""After this many rests in a row without a success, probes fail at once until the rest is over."""
WORTH_A_LINE_S = 5.0
"""A longer rest is logged."""
ANSWERS_BREAKER = 10
"""The circuit breaker of an answerer opens after this many requests in a row without an answer, or fewer where the
limits say so: each of them may have waited for a minute."""
_OUT = frozenset({Reason.TIMEOUT, Reason.UNREACHABLE, Reason.BROKEN})
_LOG = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(slots=True)
class Pace:
    """The rate at which requests leave. Each rate-limit response halves it; it recovers by itself."""

    rate: float | None = None
    clock: Callable[[], float] = time.monotonic
    _next_at: float = 0.0
    _slowed_at: float = 0.0
    _slowed_to: float = 0.0

    def current(self) -> float | None:
        """Current limit in requests a second; None without a limit."""
        if not self._slowed_to:
            return self.rate
        recovered = self._slowed_to * 2 ** ((self.clock() - self._slowed_at) / RECOVERY_S)
        ceiling = self.rate or 64 * self._slowed_to
        if recovered >= ceiling:
            self._slowed_to = 0.0
            return self.rate
        return recovered

    async def take_turn(self) -> None:
        """Wait until the next request may leave."""
        rate = self.current()
        if rate is None:
            return
        now = self.clock()
        at = max(now, self._next_at)
        self._next_at = at + 1 / rate
        if at > now:
            await asyncio.sleep(at - now)

    def slow_down(self, concurrency: int) -> None:
        """Halve the rate; without a limit, half of ``concurrency`` requests a second."""
        rate = self.current() or float(concurrency)
        self._slowed_to, self._slowed_at = max(rate / 2, SLOWEST), self.clock()


@dataclass(slots=True, kw_only=True)
class RateLimiter:
    """Sends requests to one endpoint of a target, with a pace, rests, a circuit breaker and a budget.

    A refused request is a failure with a reason, never a zero. A target that sends Retry-After, with any status, is
    left alone for that time; then a single request decides whether the others follow.
    """

    limits: Limits
    failure: type[AdapterError]
    concurrency: int
    pace: Pace
    allowance: Allowance
    clock: Callable[[], float]
    _unanswered: int = 0
    _open_until: float = 0.0
    _rest_until: float = 0.0
    _n_rests: int = 0
    _trial: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def send(self, request: Callable[[], Awaitable[T]]) -> T:
        """The result of a request, after waiting for its turn."""
        if self._open_until:
            return await self._send_trial(request)
        if self._n_rests:
            return await self._send_after_rest(request)
        await self.pace.take_turn()
        # A rest may have begun while this request waited for its turn.
        return await (self._send_after_rest(request) if self._n_rests else self._send(request))

    def status(self) -> str:
        """Why requests wait, for people; empty if they do not."""
        now = self.clock()
        if self._open_until > now:
            return f"paused for {self._open_until - now:.0f} s: {self._unanswered} probes in a row had no answer"
        if self._rest_until > now:
            return f"resting for {self._rest_until - now:.0f} s, as the target requests (Retry-After)"
        return ""

    async def _send_trial(self, request: Callable[[], Awaitable[T]]) -> T:
        """Send a single request once the pause is over; until it succeeds, other requests fail at once."""
        if self.clock() < self._open_until or self._trial.locked():
            detail = f"not sent: {self._unanswered} probes in a row had no answer"
            raise self.failure(Reason.UNREACHABLE, detail, was_sent=False)
        async with self._trial:
            return await self._send(request)

    async def _send_after_rest(self, request: Callable[[], Awaitable[T]]) -> T:
        """Wait for the end of the rest; the first request decides whether the others follow or fail."""
        async with self._trial:
            if self._n_rests:
                remaining_s = self._rest_until - self.clock()
                if remaining_s > 0 and self._n_rests > MOST_RESTS:
                    detail = f"not sent: the target requested {self._n_rests} rests in a row"
                    raise self.failure(Reason.RATE_LIMITED, detail, was_sent=False)
                if remaining_s > 0:
                    await asyncio.sleep(remaining_s)
                return await self._send(request)
        await self.pace.take_turn()
        return await self._send(request)

    async def _send(self, request: Callable[[], Awaitable[T]]) -> T:
        if not self.allowance.take():
            raise self.failure(Reason.BUDGET_SPENT, f"not sent: {self.allowance.per_day} requests in 24 hours")
        n_rests = self._n_rests
        try:
            result = await request()
        except AdapterError as error:
            self._record_failure(error, n_rests)
            raise
        self._unanswered, self._open_until = 0, 0.0
        if n_rests == self._n_rests:  # else the request left before the rest began
            self._n_rests, self._rest_until = 0, 0.0
        return result

    def _record_failure(self, error: AdapterError, n_rests: int) -> None:
        if error.reason is Reason.RATE_LIMITED:
            self.pace.slow_down(self.concurrency)
        if error.retry_after_s:
            self._begin_rest(min(error.retry_after_s, self.limits.longest_rest_s), n_rests)
        elif n_rests == self._n_rests:
            self._n_rests = 0
        self._unanswered = self._unanswered + 1 if error.reason in _OUT else 0
        if self._unanswered >= self.limits.breaker_after:
            self._open_until = self.clock() + self.limits.breaker_rest_s

    def _begin_rest(self, rest_s: float, n_rests: int) -> None:
        """Start or extend a rest; requests that left before a rest began count as the same rest."""
        if n_rests == self._n_rests:
            self._n_rests += 1
            if rest_s > WORTH_A_LINE_S:
                _LOG.warning("the target requests a rest", seconds=rest_s, in_a_row=self._n_rests)
        self._rest_until = max(self._rest_until, self.clock() + rest_s)


class RateLimitedRetriever:
    """A retriever whose probes pass a rate limiter."""

    def __init__(
        self, retriever: Retriever, limits: Limits, clock: Callable[[], float] = time.monotonic, *,
        allowance: Allowance | None = None,
    ) -> None:  # fmt: skip
        self.retriever, self.concurrency = retriever, retriever.concurrency
        self.limiter = RateLimiter(
            limits=limits,
            failure=RetrieverError,
            concurrency=retriever.concurrency,
            pace=Pace(limits.rate, clock),
            allowance=allowance or Allowance(),
            clock=clock,
        )

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first, after waiting for its turn."""
        return await self.limiter.send(lambda: self.retriever.retrieve(query, k))

    async def close(self) -> None:
        """Release connections and memory."""
        await self.retriever.close()

    def pace(self) -> float | None:
        """Current limit in probes a second; None without a limit."""
        return self.limiter.pace.current()

    def status(self) -> str:
        """Why probes wait, for people; empty if they do not."""
        return self.limiter.status()


def allowance_of(retriever: Retriever) -> Allowance:
    """The remaining budget of the target behind a retriever; without a limit if it is not rate limited."""
    return retriever.limiter.allowance if isinstance(retriever, RateLimitedRetriever) else Allowance()


class RateLimitedAnswerer:
    """An answerer whose requests share the pace and the budget of the retriever of its target."""

    def __init__(self, answerer: Answerer, beside: RateLimitedRetriever) -> None:
        self.answerer, self.concurrency = answerer, answerer.concurrency
        self.takes_contexts, self.needs_contexts = answerer.takes_contexts, answerer.needs_contexts
        limits = beside.limiter.limits
        self.limiter = RateLimiter(
            limits=replace(limits, breaker_after=min(limits.breaker_after, ANSWERS_BREAKER)),
            failure=AnswererError,
            concurrency=answerer.concurrency,
            pace=beside.limiter.pace,
            allowance=beside.limiter.allowance,
            clock=beside.limiter.clock,
        )

    async def answer(self, query: str, contexts: Sequence[str] | None = None) -> Answer:
        """Return the answer to a query, after waiting for its turn."""
        return await self.limiter.send(lambda: self.answerer.answer(query, contexts))

    async def close(self) -> None:
        """Close connections."""
        await self.answerer.close()
