"""The nouns of level 1: what is remembered of a target between two cycles, to tell a change from noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What replaying one deployment again and again showed: its noise floor."""

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
    """How often answers were replayed; 0 where none is asked for."""
    answers_changed: float = 0.0
    """Largest share of answers in which a replay differed from the first one."""

    @property
    def answers_repeat(self) -> bool:
        """Whether every replay brought the very same answers, word for word."""
        return self.answer_replays > 0 and self.answers_changed == 0.0

    @property
    def is_quiet(self) -> bool:
        """Whether whatever differs from before is a change, in rankings and in answers."""
        return (not self.replays or self.is_deterministic) and (not self.answer_replays or self.answers_repeat)

    @property
    def is_deterministic(self) -> bool:
        """Whether every replay brought the very same rankings."""
        return self.replays > 0 and self.share_changed == 0.0


@dataclass(frozen=True, slots=True)
class Series:
    """One measure of one stratum over time, against the pinned baseline."""

    bets: tuple[float, ...] = ()
    """The e-detector: one Shiryaev–Roberts sum for each bet; empty before the first run."""
    seen: tuple[float, ...] = ()
    """The latest standardised drops, oldest first."""
    reference: float | None = None
    """The level that level 2 has looked at without paging; None while that is the baseline's own."""

    @property
    def evidence(self) -> float:
        """The e-detector's value: the mean over its bets."""
        return sum(self.bets) / len(self.bets) if self.bets else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorState:
    """What level 1 remembers about one target and suite between two cycles."""

    baseline_run_id: str
    noise: Noise = Noise()
    series: Mapping[str, Series] = field(default_factory=dict)
    judged: str = ""
    """Identity of the results that level 2 last looked at."""
    looks: tuple[datetime, ...] = ()
    """When level 2 looked, over the last year: the error budget that was spent."""
