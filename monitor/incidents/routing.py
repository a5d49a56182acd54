"""Routing: which notifiers receive an alert, and when silences hold it back, by its labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from monitor.model.incidents import Severity
from monitor.model.silences import Match as Match
from monitor.model.silences import Silence as Silence

LABELS = ("severity", "axis", "suite", "target", "owner")

_LONGEST_CHAIN = 32
"""Most consecutive silences that are followed; an alert is then sent even if another silence covers it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The labels by which routes and silences select an alert. A regression can have several axes and suites."""

    target: str
    severity: Severity
    owner: str = ""
    axes: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()

    def values_of(self, label: str) -> tuple[str, ...]:
        """The values of a label; empty if the alert has none."""
        several = {"axis": self.axes, "suite": self.suites}
        one = {"severity": str(self.severity), "target": self.target, "owner": self.owner}
        return several[label] if label in several else tuple(filter(None, (one[label],)))


def matches(match: Match, labels: Labels) -> bool:
    """Whether every label of the match has an accepted value.

    >>> labels = Labels(target="docs-eu", severity=Severity.CRITICAL)
    >>> matches({"severity": ("critical",), "target": ("/docs-.*/",)}, labels)
    True
    >>> matches({"suite": ("legal",)}, labels)
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
    """Notifiers for the alerts that match."""

    notifiers: tuple[str, ...]
    match: Match = field(default_factory=dict)
    continue_: bool = False
    """Whether later routes are tried as well."""
    remind_every_s: float | None = None
    """Time between reminders of an open incident that no person has acknowledged; None for no reminders."""


@dataclass(frozen=True, slots=True)
class Links:
    """Base addresses for the links of an alert; an empty one adds no link."""

    public_url: str = ""
    dashboards_url: str = ""
    runbook_url: str = ""
    """The runbook, if it is not the one that the server at ``public_url`` serves."""
    signing_key: str = field(default="", repr=False)
    """Signs the links that acknowledge an incident; without it alerts carry none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCall:
    """Notifiers, routes, silences, owners and links for alerts."""

    notifiers: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    silences: tuple[Silence, ...] = ()
    owners: Mapping[str, str] = field(default_factory=dict)
    """Target to owner."""
    links: Links = Links()

    def notifiers_for(self, labels: Labels) -> tuple[str, ...]:
        """The notifiers of the matching routes, each once; all notifiers if there are no routes."""
        if not self.routes:
            return self.notifiers
        return tuple(dict.fromkeys(name for route in self._routes_of(labels) for name in route.notifiers))

    def remind_every_s(self, labels: Labels) -> float | None:
        """The shortest time between reminders of the matching routes; None if none has one."""
        intervals = [route.remind_every_s for route in self._routes_of(labels) if route.remind_every_s is not None]
        return min(intervals, default=None)

    def _routes_of(self, labels: Labels) -> list[Route]:
        matching: list[Route] = []
        for route in self.routes:
            if matches(route.match, labels):
                matching.append(route)
                if not route.continue_:
                    break
        return matching

    def silence_for(self, labels: Labels, at: datetime) -> tuple[datetime | None, str]:
        """The end and reason of the silence, consecutive silences included; None and no reason if not silenced."""
        matching = [silence for silence in self.silences if matches(silence.match, labels)]
        until, reason = at, ""
        for _ in range(_LONGEST_CHAIN):
            ends = [(end, silence.reason) for silence in matching if (end := silence.end_after(until)) is not None]
            if not ends:
                break
            until, reason = max(ends)[0], reason or max(ends)[1]
        return (until, reason) if until > at else (None, "")
