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
    """What one target bears."""

    rate: float | None = None
    """Probes a second; None is as many as ``concurrency`` of the retriever allows."""
    breaker_after: int = 50
    """Probes in a row without any answer, after which the target is left alone …"""
    breaker_rest_s: float = 30.0
    """… for this long; then one probe is let through, and if it is answered, all are."""


class LimitOptions(Section):
    """How hard a target may be asked."""

    rate: Annotated[float, Field(gt=0)] | None = None
    """Probes a second at most; without it, as many as the retriever's ``concurrency`` brings. Each time the target
    answers that it is asked too much the pace is halved, and doubles again every thirty seconds."""
    probes_per_day: Annotated[int, Field(ge=1)] | None = None
    """Probes of runs in any 24 hours; a cycle that would exceed them is not begun, and says so. Replays that learn the
    noise floor, at first contact and after a swap, are not counted."""
    breaker_after: Annotated[int, Field(ge=1)] = 50
    """Probes in a row without any answer, after which the target is left alone …"""
    breaker_rest: Duration = 30.0
    """… for this long; then one probe is let through, and if it is answered, all are."""

    def to_limits(self) -> Limits:
        """The limits as pacing knows them."""
        return Limits(self.rate, self.breaker_after, self.breaker_rest)
