"""The state of change detection: noise, churn and detectors of one target and suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The noise floor: how much the results of one deployment vary from replay to replay."""

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
    """Number of replays of the answers; 0 where the target does not answer."""
    answers_changed: float = 0.0
    """Largest share of answers in which a replay differed from the first one."""

    @property
    def answers_repeat(self) -> bool:
        """Whether every replay returned identical answers."""
        return self.answer_replays > 0 and self.answers_changed == 0.0

    @property
    def is_quiet(self) -> bool:
        """Whether rankings and answers repeat exactly, so that every difference is a change."""
        return (not self.replays or self.is_deterministic) and (not self.answer_replays or self.answers_repeat)

    @property
    def is_deterministic(self) -> bool:
        """Whether every replay returned identical rankings."""
        return self.replays > 0 and self.share_changed == 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Churn:
    """How much the results of one deployment change from cycle to cycle while documents come and go."""

    cycles: int = 0
    """Pairs of consecutive cycles that were learned from."""
    changed: int = 0
    """Pairs of these in which at least one ranking changed."""
    share: float = 0.0
    """Mean share of rankings that changed from one cycle to the next."""
    variance: float = 0.0
    """Variance of that share."""
    steps: Mapping[str, float] = field(default_factory=dict)
    """Mean square of the change of a run's mean from one cycle to the next, by series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleChange:
    """The change from one cycle to the next, without a judgement."""

    share: float
    """Share of rankings that changed, in [0, 1]."""
    queries: int
    steps: Mapping[str, float] = field(default_factory=dict)
    """Change of each run mean, by series."""
    rescored: float = 0.0
    """Share of the documents returned in the baseline and now whose score for the same query differs, in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Mean and spread of a series over the unchanged cycles since the baseline."""

    cycles: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """Sum of squared deviations from the mean."""
    products: float = 0.0
    """Sum of products of consecutive deviations: how strongly neighbouring cycles correlate."""
    last: float = 0.0


@dataclass(frozen=True, slots=True)
class Series:
    """One measure of one stratum over time, against the pinned baseline."""

    bets: tuple[float, ...] = ()
    """The e-detector: one Shiryaev–Roberts sum for each bet; empty before the first run."""
    drops: tuple[float, ...] = ()
    """The latest standardised drops, oldest first."""
    reference: float | None = None
    """The level at the latest look that did not page; None while it is the baseline's level."""
    pending: tuple[float, ...] = ()
    """Means of the cycles since the latest update, if consecutive cycles repeat most results."""

    @property
    def evidence(self) -> float:
        """The e-detector's value: the mean over its bets."""
        return sum(self.bets) / len(self.bets) if self.bets else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedResult:
    """How one result was judged: the same result keeps its verdict and spends no error budget."""

    number: int
    """Number of the look among the silent ones of its year; 0 for a declared swap."""
    reason: str
    alpha: float
    previous_run_id: str = ""
    """The run before the swap, the second reference of the look besides the baseline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorState:
    """The state of change detection for one target and suite between two cycles."""

    baseline_run_id: str
    run_id: str = ""
    """The latest run with a decision; the next run is compared with it."""
    identity: str = ""
    """Identity of the results of that run."""
    noise: Noise = Noise()
    churn: Churn = Churn()
    levels: Mapping[str, Level] = field(default_factory=dict)
    series: Mapping[str, Series] = field(default_factory=dict)
    judged: Mapping[str, JudgedResult] = field(default_factory=dict)
    """Judged results by identity; the oldest are removed first."""
    returns: int = 0
    """Number of times that replaced results came back; repeated returns are a sign of replicas."""
    rescored: float = 0.0
    """Share of rescored documents at the latest look."""
    looks: tuple[datetime, ...] = ()
    """Times of the silent looks of the past year: the spent error budget."""
    revision: int = 0
    """Number of decisions; if two processes decide at once, the second starts again."""
