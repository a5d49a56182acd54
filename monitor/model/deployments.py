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
    """What somebody, or some pipeline, says that a target serves from now on."""

    target: str
    name: str
    declared_by: str
    declared_at: datetime
    detail: Mapping[str, str] = field(default_factory=dict)
    """What else is known of it: the model, the index, the commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """What a target serves has changed since the run before."""

    target: str
    suite_name: str
    run_id: str
    previous_run_id: str
    declared: bool
    """Whether the target said so itself; otherwise it was noticed in the rankings."""
    share_changed: float
    """Share of queries whose ranking differs, in [0, 1]."""
    detected_at: datetime
    answers_changed: float = 0.0
    """Share of queries whose answer differs, in [0, 1]; 0 where none is asked for."""
    cause: str = ""
    """What most likely changed, of the causes that can be told apart; empty if nothing could be told."""
    evidence: str = ""
    """What speaks for that cause, in words."""
