"""Baselines, declared deployments and detected swaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The trusted run of one target and suite."""

    target: str
    suite_name: str
    run_id: str
    promoted_by: str
    reason: str
    promoted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A declaration, by a person or a pipeline, of the deployment that a target serves from now on."""

    target: str
    name: str
    declared_by: str
    declared_at: datetime
    detail: Mapping[str, str] = field(default_factory=dict)
    """Further details: model, index, commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """A change of the deployment of a target since the previous run."""

    target: str
    suite_name: str
    run_id: str
    previous_run_id: str
    declared: bool
    """Whether the target declared the change; otherwise it was detected in the rankings."""
    share_changed: float
    """Share of queries whose ranking differs, in [0, 1]."""
    detected_at: datetime
    answers_changed: float = 0.0
    """Share of queries whose answer differs, in [0, 1]; 0 without answers."""
    cause: str = ""
    """The most likely cause; empty if the causes could not be distinguished."""
    evidence: str = ""
    """The evidence for that cause, in words."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A swap for the timeline of one notifier, leased to the process that sends it."""

    swap: Swap
    notifier: str
    attempts: int
