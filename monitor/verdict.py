"""The nouns of deciding and telling: from evidence to an alert that is on its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from monitor.model import Axis


class VerdictName(StrEnum):
    """What was decided."""

    PASSED = "passed"
    REGRESSED = "regressed"
    TRADE_OFF = "trade_off"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"

    @property
    def pages(self) -> bool:
        """Whether on-call is told."""
        return self in (VerdictName.REGRESSED, VerdictName.TRADE_OFF)


class AlertState(StrEnum):
    """The messages an incident can send."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


QueryText = Literal["show", "hash", "withhold"]


@dataclass(frozen=True, slots=True)
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
    """Smallest true drop found with 80 % power, in points of the measure."""

    @property
    def relative_difference(self) -> float:
        """Difference over baseline mean; NaN when the baseline mean is below 0.05."""
        return self.difference / self.baseline_mean if self.baseline_mean >= 0.05 else float("nan")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much may be lost, for what it matches: an axis, a suite, a stratum, a measure, or any mix of them."""

    margin: float | None = None
    floor_absolute: float | None = None
    floor_relative: float | None = None
    axis: Axis | None = None
    suite: str | None = None
    stratum: str | None = None
    measure: str | None = None

    def matches(self, axis: Axis, suite: str, stratum: str, measure: str) -> bool:
        """Whether everything that is stated is so."""
        stated = ((self.axis, axis), (self.suite, suite), (self.stratum, stratum), (self.measure, measure))
        return all(wanted is None or wanted == found for wanted, found in stated)


class Tolerated(NamedTuple):
    """What a policy tolerates of one measure of one stratum. Ratios are in [0, 1]."""

    margin: float
    floor_absolute: float
    floor_relative: float


@dataclass(frozen=True, slots=True)
class Policy:
    """The rule that leads from evidence to a verdict. Ratios are in [0, 1]."""

    alpha_page: float = 0.01
    alpha_year: float = 0.05
    alpha_warn: float = 0.05
    floor_absolute: float = 0.01
    floor_relative: float = 0.02
    margin: float = 0.05
    coverage_floor: float = 0.98
    label_floor: float = 0.98
    """Share of the baseline's label validity below which the ruler has moved."""
    min_clusters: int = 12
    resamples: int = 9_999
    replays: int = 24
    replayed_queries: int = 500
    gating: Mapping[Axis, tuple[str, ...]] = field(
        default_factory=lambda: {
            Axis.BROAD: ("ndcg@10", "mrr@10", "recall@5", "recall@10", "answer_f1"),
            Axis.COMPOSITIONAL: ("pair_accuracy", "mrr@10", "answer_f1"),
        }
    )
    tolerances: tuple[Tolerance, ...] = ()
    """Exceptions from margin and floors; of those that match, the last one that states a value counts."""

    def tolerance_of(self, axis: Axis, suite: str, stratum: str, measure: str) -> Tolerated:
        """Margin and floors that hold for one measure of one stratum."""
        values = Tolerated(self.margin, self.floor_absolute, self.floor_relative)
        for each in self.tolerances:
            if each.matches(axis, suite, stratum, measure):
                stated = {name: getattr(each, name) for name in Tolerated._fields}
                values = values._replace(**{name: value for name, value in stated.items() if value is not None})
        return values

    confirm: int = 1
    recover: int = 2
    reopen_within: float = 86_400.0
    critical_absolute: float = 0.05
    critical_relative: float = 0.10
    query_text: QueryText = "show"
    context_window: int = 5
    """Contexts that an answerer reads, where it does not say."""


@dataclass(frozen=True, slots=True)
class Look:
    """One comparison that may page. Each look at a new change spends a part of the year's error budget."""

    number: int
    why: str
    alpha: float
    """The error level of this look."""
    taken: tuple[datetime, ...] = ()
    """All looks of the last year, this one included."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about one cycle, with everything needed to decide it again."""

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
    """Which look of the year it is; 0 where level 1 saw no change, or a person asked."""
    look_reason: str = ""
    lost_queries: tuple[Mapping[str, Any], ...] = ()
    """The queries that lost most, worst first, with what was expected and what came back."""
    insights: Mapping[str, Any] = field(default_factory=dict)
    """What explains the evidence: who is to blame for answers that fell, and how much headroom recall has left."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The trusted run of one target and suite."""

    target: str
    suite_name: str
    run_id: str
    promoted_by: str
    reason: str
    promoted_at: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """One message about an incident. ``alert_id`` stays the same however often it is sent."""

    alert_id: str
    incident_id: str
    dedup_key: str
    state: AlertState
    payload: Mapping[str, Any]
    created_at: datetime
    notifiers: tuple[str, ...] = ()
    """Who is told that it fires; what follows goes to whoever was told."""
    silenced_until: datetime | None = None
    """Held back until then, and sent only if the incident still lasts."""
    silence: str = ""
    """Why it is held back."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert on its way to one notifier, leased to whoever sends it."""

    delivery_id: int
    notifier: str
    alert: Alert
    attempts: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """What somebody, or some pipeline, says that a target serves from now on."""

    target: str
    name: str
    declared_by: str
    declared_at: datetime
    detail: Mapping[str, str] = field(default_factory=dict)
    """What else is known of it: the model, the index, the commit."""


@dataclass(frozen=True, slots=True)
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
