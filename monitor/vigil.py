"""The nouns of level 1: what is remembered of a target between two cycles, to tell a change from noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Vigil:
    """What level 1 remembers about one target and suite between two cycles."""

    baseline_run_id: str
    noise: Noise = Noise()
    series: Mapping[str, Series] = field(default_factory=dict)
    judged: str = ""
    """Fingerprint of the results that level 2 last looked at."""
    looks: tuple[datetime, ...] = ()
    """When level 2 looked, over the last year: the error budget that was spent."""
