"""The nouns of what lasts: an incident from the first suspicion to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    """How soon somebody must look."""

    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Larger is worse."""
        return list(Severity).index(self)


class IncidentKind(StrEnum):
    """What is wrong: the quality of what is served, or the watching itself."""

    REGRESSION = "regression"
    NO_DATA = "no_data"
    DEAD_LETTER = "dead_letter"


class IncidentStatus(StrEnum):
    """Where an incident is between the first suspicion and its end."""

    SUSPECTED = "suspected"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"

    @property
    def is_active(self) -> bool:
        """Whether it is not over."""
        return self in _LASTING


_LASTING = frozenset({IncidentStatus.SUSPECTED, IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED})


class Resolution(StrEnum):
    """How an incident ended."""

    NONE = ""
    ROLLED_BACK = "rolled_back"
    RECOVERED = "recovered"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What was trusted, what is served now, and since when."""

    baseline: str = ""
    candidate: str = ""
    since: datetime | None = None
    declared: bool | None = None
    """Whether the target named the change itself; None where no change was seen."""
    runs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Suite to the runs that were compared: baseline and candidate."""
    cause: str = ""
    """What most likely changed, with what speaks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that lasts and that on-call must know. Every change of it makes a new revision."""

    incident_id: str
    dedup_key: str
    target: str
    opened_at: datetime
    kind: IncidentKind = IncidentKind.REGRESSION
    subject: str = ""
    """The target, schedule or notifier of which one incident of this kind can last at a time."""
    status: IncidentStatus = IncidentStatus.SUSPECTED
    severity: Severity = Severity.WARNING
    verdict_name: str = ""
    policy: str = ""
    summary: str = ""
    n_paging: int = 0
    """Paging verdicts in a row while it is suspected."""
    recovering: Mapping[str, int] = field(default_factory=dict)
    """The suites it is about, each with its passed verdicts in a row."""
    axes: tuple[str, ...] = ()
    baseline_run_ids: tuple[str, ...] = ()
    reopened: int = 0
    fired_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    resolved_at: datetime | None = None
    resolution: Resolution = Resolution.NONE
    reason: str = ""
    """Why it was dismissed, and by whom."""
    revision: int = 1

    @property
    def is_active(self) -> bool:
        """Whether it is not over."""
        return self.status.is_active

    @property
    def is_open(self) -> bool:
        """Whether on-call was told and it is not over."""
        return self.is_active and self.status is not IncidentStatus.SUSPECTED

    @property
    def is_confirmed(self) -> bool:
        """Whether somebody took it on, or rolled back for it."""
        is_dismissed = self.status is IncidentStatus.DISMISSED
        return not is_dismissed and (self.acknowledged_at is not None or self.resolution is Resolution.ROLLED_BACK)

    @property
    def has_fired(self) -> bool:
        """Whether on-call was told."""
        return self.fired_at is not None

    @property
    def suites(self) -> tuple[str, ...]:
        """Names of the suites it is about."""
        return tuple(sorted(self.recovering))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How often a policy's incidents of one target fired, were confirmed, and were dismissed as false alarms."""

    target: str
    policy: str
    fired: int = 0
    confirmed: int = 0
    dismissed: int = 0
