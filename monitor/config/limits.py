"""Limits on what one target may be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from monitor.config.section import Duration as Duration
from monitor.config.section import Section as Section
from monitor.config.section import validate as validate


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one target."""

    rate: float | None = None
    """Probes per second; None is as many as ``concurrency`` of the retriever allows."""
    breaker_after: int = 50
    """After this many probes in a row without an answer the circuit breaker opens …"""
    breaker_rest_s: float = 30.0
    """… for this long; then one probe is sent, and if it is answered, the breaker closes."""
    longest_rest_s: float = 300.0
    """Longest rest that a target may request by Retry-After."""


class LimitOptions(Section):
    """Rate limits and circuit breaker of a target."""

    rate: Annotated[float, Field(gt=0)] | None = None
    """The largest number of requests per second, probes and answers together; by default as many as ``concurrency``
    allows. Each rate-limit response of the target halves the rate; it doubles again every thirty seconds."""
    max_k: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """The largest number of hits that the target returns for one query; probes request no more. By default a probe
    requests the depth of the measures and the suite: 10, or 50 for suites with pairs."""
    probes_per_day: Annotated[int, Field(ge=1)] | None = None
    """The largest number of requests in any 24 hours: probes, answers, and the replays that estimate the noise floor. A
    cycle that would exceed it is refused, and the replays use at most half of the rest."""
    breaker_after: Annotated[int, Field(ge=1)] = 50
    """After this many probes in a row without an answer, or with a server error, the circuit breaker opens …
    That of an answerer opens after ten requests."""
    breaker_rest: Duration = 30.0
    """The pause of an open breaker; then one probe is sent, and if it is answered, the breaker closes."""
    longest_rest: Duration = 300.0
    """The longest rest that the target may request by a Retry-After header. No probe leaves during a rest; then a
    single probe decides whether the others follow."""

    def to_limits(self) -> Limits:
        """The limits as `RateLimitedRetriever` takes them."""
        return Limits(self.rate, self.breaker_after, self.breaker_rest, self.longest_rest)
