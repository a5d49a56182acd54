"""Noise floor and detector state: the memory of change detection between two cycles of a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The noise floor of one deployment, estimated from repeated replays."""

    replays: int = 0
    queries: int = 0
    share_changed: float = 0.0
    """Largest share of rankings in which a replay differed from the first one; 0 if the target is deterministic."""
    deviations: Mapping[str, float] = field(default_factory=dict)
    """Standard deviation of a run's mean, by series; an upper 95 % bound."""
    means: Mapping[str, float] = field(default_factory=dict)
    """Mean over the replays, by series; only where they replayed the whole suite."""
    deployment: str = ""
    answer_replays: int = 0
    """Number of replays with answers; 0 without answers."""
    answers_changed: float = 0.0
    """Largest share of answers in which a replay differed from the first one."""

    @property
    def answers_repeat(self) -> bool:
        """Whether the answers of all replays are identical, word for word."""
        return self.answer_replays > 0 and self.answers_changed == 0.0

    @property
    def is_quiet(self) -> bool:
        """Whether every difference in rankings or answers is a change, because the target has no noise."""
        return (not self.replays or self.is_deterministic) and (not self.answer_replays or self.answers_repeat)

    @property
    def is_deterministic(self) -> bool:
        """Whether the rankings of all replays are identical."""
        return self.replays > 0 and self.share_changed == 0.0


@dataclass(frozen=True, slots=True)
class Series:
    """One measure of one stratum over time, against the pinned baseline."""

    bets: tuple[float, ...] = ()
    """The e-detector: one Shiryaev–Roberts sum for each bet; empty before the first run."""
    seen: tuple[float, ...] = ()
    """The latest standardised drops, oldest first."""
    reference: float | None = None
    """The level that a full comparison accepted without a page; None while it is the level of the baseline."""

    @property
    def evidence(self) -> float:
        """The e-detector's value: the mean over its bets."""
        return sum(self.bets) / len(self.bets) if self.bets else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorState:
    """The memory of change detection about one target and suite between two cycles."""

    baseline_run_id: str
    noise: Noise = Noise()
    series: Mapping[str, Series] = field(default_factory=dict)
    judged: str = ""
    """Fingerprint of the results of the latest full comparison."""
    looks: tuple[datetime, ...] = ()
    """Times of the full comparisons of the past year; each of them spent a part of the error budget."""
