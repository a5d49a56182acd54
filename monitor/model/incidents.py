"""Incidents, from the first suspicion to the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    """How urgent an incident is."""

    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Larger is worse."""
        return list(Severity).index(self)


class IncidentKind(StrEnum):
    """The problem: a drop in quality, or a failure of the monitoring itself."""

    REGRESSION = "regression"
    NO_DATA = "no_data"
    DEAD_LETTER = "dead_letter"


class IncidentStatus(StrEnum):
    """The state of an incident between the first suspicion and its end."""

    SUSPECTED = "suspected"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"

    @property
    def is_active(self) -> bool:
        """Whether it is not over."""
        return self in _ACTIVE


_ACTIVE = frozenset({IncidentStatus.SUSPECTED, IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED})


class Resolution(StrEnum):
    """How an incident ended."""

    NONE = ""
    ROLLED_BACK = "rolled_back"
    RECOVERED = "recovered"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The trusted deployment, the deployment that is served now, and the time of the change."""

    baseline: str = ""
    candidate: str = ""
    since: datetime | None = None
    declared: bool | None = None
    """Whether the change was declared; None if no change was detected."""
    declared_by: str = ""
    """The person or pipeline that declared the deployment."""
    runs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Suite to the runs that were compared: baseline and candidate."""
    cause: str = ""
    """The most likely cause, with the causes that cannot be distinguished from it."""
    evidence: str = ""
    """The evidence for that cause, in sentences."""
    share_changed: float | None = None
    """Share of queries whose ranking changed, in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A problem that on-call must know about until it is over. Every change of it is a new revision."""

    incident_id: str
    dedup_key: str
    target: str
    opened_at: datetime
    kind: IncidentKind = IncidentKind.REGRESSION
    subject: str = ""
    """The target, schedule or notifier. It has at most one active incident of this kind."""
    status: IncidentStatus = IncidentStatus.SUSPECTED
    severity: Severity = Severity.WARNING
    verdict_name: str = ""
    policy: str = ""
    summary: str = ""
    n_paging: int = 0
    """Paging verdicts in a row while it is suspected."""
    recovering: Mapping[str, int] = field(default_factory=dict)
    """The suites that regressed, each with its number of recovered verdicts in a row."""
    fallen: tuple[tuple[str, str, str], ...] = ()
    """Suite, stratum and measure of everything that fell since it opened."""
    bounds: Mapping[str, float] = field(default_factory=dict)
    """Lowest bound of the interval of each gating measure in its pages, by suite, stratum and measure joined by ``/``.
    A later drop within these bounds is the same one."""
    axes: tuple[str, ...] = ()
    baseline_run_ids: tuple[str, ...] = ()
    """Baselines of the suites that fell."""
    reopened: int = 0
    fired_at: datetime | None = None
    reminded_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    resolved_at: datetime | None = None
    resolution: Resolution = Resolution.NONE
    dismissed_by: str = ""
    reason: str = ""
    """Why it was dismissed, and the person who did it; or why it was reopened."""
    revision: int = 1

    @property
    def is_active(self) -> bool:
        """Whether it is not over."""
        return self.status.is_active

    @property
    def is_open(self) -> bool:
        """Whether on-call was notified and it is not over."""
        return self.is_active and self.status is not IncidentStatus.SUSPECTED

    @property
    def is_confirmed(self) -> bool:
        """Whether a person acknowledged it, or the deployment was rolled back."""
        is_dismissed = self.status is IncidentStatus.DISMISSED
        return not is_dismissed and (self.acknowledged_at is not None or self.resolution is Resolution.ROLLED_BACK)

    @property
    def has_fired(self) -> bool:
        """Whether on-call was notified."""
        return self.fired_at is not None

    @property
    def suites(self) -> tuple[str, ...]:
        """Names of the suites that regressed."""
        return tuple(sorted(self.recovering))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Number of incidents of one target and policy that fired, were confirmed and were dismissed as false alarms."""

    target: str
    policy: str
    fired: int = 0
    confirmed: int = 0
    dismissed: int = 0
