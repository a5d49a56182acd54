"""Who is told, and when nobody is: routes and silences over the labels of an alert."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from monitor.model.incidents import Severity

Match = Mapping[str, tuple[str, ...]]
"""Label to the values that fit; a value between slashes is a regular expression for the whole of the label."""

LABELS = ("severity", "axis", "suite", "target", "owner")

_LONGEST_CHAIN = 32
"""Silences that follow upon each other; beyond these somebody is told after all."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What routes and silences know of an alert. A regression can be of several axes and suites."""

    target: str
    severity: Severity
    owner: str = ""
    axes: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()

    def values_of(self, label: str) -> tuple[str, ...]:
        """The values of a label, none where it is not known."""
        several = {"axis": self.axes, "suite": self.suites}
        one = {"severity": str(self.severity), "target": self.target, "owner": self.owner}
        return several[label] if label in several else tuple(filter(None, (one[label],)))


def fits(match: Match, labels: Labels) -> bool:
    """Whether every label of the match has a value that fits.

    >>> fits({"severity": ("critical",), "target": ("/docs-.*/",)}, Labels("docs-eu", Severity.CRITICAL))
    True
    >>> fits({"suite": ("legal",)}, Labels("docs-eu", Severity.CRITICAL))
    False
    """
    return all(
        any(_accepts(accepted, value) for accepted in accepted_values for value in labels.values_of(label))
        for label, accepted_values in match.items()
    )


def _accepts(accepted: str, value: str) -> bool:
    pattern = pattern_of(accepted)
    return accepted == value if pattern is None else re.fullmatch(pattern, value) is not None


def pattern_of(accepted: str) -> str | None:
    """The regular expression between slashes; None for a plain value."""
    is_pattern = len(accepted) > 2 and accepted.startswith("/") and accepted.endswith("/")
    return accepted[1:-1] if is_pattern else None


@dataclass(frozen=True, slots=True)
class Route:
    """Notifiers for the alerts that fit."""

    notifiers: tuple[str, ...]
    match: Match = field(default_factory=dict)
    continue_: bool = False
    """Whether the routes after it are asked as well."""


@dataclass(frozen=True, slots=True)
class Silence:
    """When nobody is told of the alerts that fit: once from and to, or every day between two times in UTC."""

    reason: str
    match: Match = field(default_factory=dict)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    daily: tuple[time, time] | None = None

    def end_after(self, at: datetime) -> datetime | None:
        """When the silence ends in which the instant lies; None if it lies in none."""
        if self.daily is not None:
            return _end_of_day(at.astimezone(UTC), *self.daily)
        begun = self.starts_at is None or self.starts_at <= at
        return self.ends_at if begun and self.ends_at is not None and at < self.ends_at else None


def _end_of_day(at: datetime, start: time, end: time) -> datetime | None:
    now = at.timetz().replace(tzinfo=None)
    within = start <= now < end if start < end else now >= start or now < end
    if not within:
        return None
    until = datetime.combine(at.date(), end, tzinfo=UTC)
    return until if until > at else until + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Links:
    """Where a person can look; empty where nobody said."""

    public_url: str = ""
    dashboards_url: str = ""
    runbook_url: str = "docs/runbooks.md"


@dataclass(frozen=True, slots=True)
class OnCall:
    """How on-call is told: who, when not, and where to look."""

    notifiers: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    silences: tuple[Silence, ...] = ()
    owners: Mapping[str, str] = field(default_factory=dict)
    """Target to owner."""
    links: Links = Links()

    def notifiers_for(self, labels: Labels) -> tuple[str, ...]:
        """Who is told: everybody where there are no routes, else who the fitting routes name, each once."""
        if not self.routes:
            return self.notifiers
        told: list[str] = []
        for route in self.routes:
            if fits(route.match, labels):
                told += route.notifiers
                if not route.continue_:
                    break
        return tuple(dict.fromkeys(told))

    def silence_for(self, labels: Labels, at: datetime) -> tuple[datetime | None, str]:
        """Until when nobody is told, through silences that follow upon each other, and why; None if not silenced."""
        fitting = [silence for silence in self.silences if fits(silence.match, labels)]
        until, reason = at, ""
        for _ in range(_LONGEST_CHAIN):
            ends = [(end, each.reason) for each in fitting if (end := each.end_after(until)) is not None]
            if not ends:
                break
            until, reason = max(ends)[0], reason or max(ends)[1]
        return (until, reason) if until > at else (None, "")
