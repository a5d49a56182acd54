"""Verdicts and the evidence behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from monitor.model.policies import Policy
from monitor.model.suites import Axis


class VerdictName(StrEnum):
    """The names of the verdicts."""

    PASSED = "passed"
    REGRESSED = "regressed"
    TRADE_OFF = "trade_off"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"

    @property
    def pages(self) -> bool:
        """Whether it pages on-call."""
        return self in (VerdictName.REGRESSED, VerdictName.TRADE_OFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One measure of one stratum, compared between baseline and candidate, paired by query."""

    suite: str
    axis: Axis
    stratum: str
    measure: str
    gating: bool
    n_queries: int
    n_clusters: int
    baseline_mean: float
    candidate_mean: float
    difference: float
    lower: float
    upper: float
    p_worse: float
    """Null hypothesis: differences are symmetric about zero or larger. NaN below the least number of clusters."""
    p_worse_adjusted: float
    p_better: float
    """Null hypothesis: differences are symmetric about zero or smaller."""
    p_better_adjusted: float
    p_not_safe: float
    """Null hypothesis: the candidate lost the margin or more."""
    mde: float
    """Smallest true drop that one test at 0.05 detects with 80 % power, in points of the measure."""
    mde_page: float = math.nan
    """The same at the level of a page, corrected over all strata and measures."""
    fallen: bool = False
    """Whether it fell, significantly and beyond both floors, so that it pages."""
    is_control: bool = False
    """Whether the stratum is a control, which must not move with a gain of structure."""
    watched: bool = False
    """Whether it fell beyond both floors, significantly at the warning level but not at the level of a page."""

    @property
    def relative_difference(self) -> float:
        """Difference over baseline mean; NaN when the baseline mean is below 0.05."""
        return self.difference / self.baseline_mean if self.baseline_mean >= 0.05 else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisSafety:
    """Whether one measure of one suite is safe: over the whole axis, and in every stratum."""

    suite: str
    axis: Axis
    measure: str
    p_value: float
    """Null hypothesis: the axis lost the margin or more. NaN below the least number of clusters."""
    margin: float
    """Tolerated drop: a share of the baseline mean, or units of a measure without a natural zero."""
    lower: float
    """Lower 95 % bound of the change, in the same units."""
    is_safe: bool
    """Whether the axis lost less than its margin, and every stratum is likely to have."""
    worst_stratum: str = ""
    """The stratum that is most likely to have lost its margin."""
    worst_probability: float = math.nan
    queries_needed: int = 0
    """Queries that the least certain stratum needs to be tested within its margin; 0 if it has enough."""


@dataclass(frozen=True, slots=True)
class Look:
    """One comparison that may page. Each look at a silent change spends a part of the year's error budget."""

    number: int
    """Number among the silent looks of a year; 0 for a declared swap or a request by a person."""
    why: str
    alpha: float
    """The error level of this look."""
    times: tuple[datetime, ...] = ()
    """Times of the silent looks of the past year, including this one if it spent from the budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict about one cycle, with everything needed to recompute it."""

    verdict_id: str
    cycle_id: str
    target: str
    name: VerdictName
    summary: str
    advice: str
    evidence: tuple[Evidence, ...]
    run_ids: tuple[str, ...]
    baseline_run_ids: tuple[str, ...]
    policy: Policy
    policy_digest: str
    seed: int
    method: str
    decided_at: datetime
    look: int = 0
    """The number of the look in the year; 0 if no change was detected or a person requested the comparison."""
    look_reason: str = ""
    lost_queries: tuple[Mapping[str, Any], ...] = ()
    """The queries with the largest losses, worst first, with the expected and the actual results."""
    insights: Mapping[str, Any] = field(default_factory=dict)
    """Explanations of the evidence: attribution of an answer drop, headroom, safety of each axis, the latest step."""

    @property
    def fallen(self) -> tuple[Evidence, ...]:
        """The evidence that pages, the largest drop first."""
        return tuple(sorted((each for each in self.evidence if each.fallen), key=lambda each: each.difference))

    @property
    def watched(self) -> tuple[Evidence, ...]:
        """The evidence worth watching, the largest drop first."""
        return tuple(sorted((each for each in self.evidence if each.watched), key=lambda each: each.difference))
