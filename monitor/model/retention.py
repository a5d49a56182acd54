"""Retention: months of results that are dropped, and runs that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthOfResults:
    """The rankings and answers of one month."""

    month: date
    """Its first day."""
    rankings: int
    answers: int
    size_bytes: int
    """On disk, with indexes."""
    runs: int
    """Runs that started in the month."""
    kept_runs: int
    """Of these, runs that keep theirs: of baselines, active incidents and detectors, and pinned ones."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A run whose rankings and answers are kept for ever."""

    run_id: str
    pinned_by: str
    reason: str
    pinned_at: datetime
