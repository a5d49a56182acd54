"""Bodies and answers of the API that are not nouns of the model."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, time
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from monitor.config.routes import Weekday
from monitor.model.noise import Noise
from monitor.model.silences import Silence
from monitor.model.verdicts import Verdict, VerdictName
from monitor.reports.terminal import verdict_to_dict

_PLAIN = r"^[^\x00-\x1f\x7f]*$"
"""PostgreSQL stores no U+0000, and no name needs control characters."""


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("is beyond the calendar") from None


Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PLAIN)]
Labels = Annotated[list[Name], Field(min_length=1, max_length=50)]
Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Text = Annotated[str, StringConstraints(max_length=2_000, pattern=_PLAIN)]
Key = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
Id = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.:-]+$")]
TargetFilter = Annotated[
    str | None, Query(min_length=1, max_length=200, pattern=_PLAIN, description="Only those of this target.")
]


Ended = Annotated[bool, Query(description="Also those that a person ended.")]


class Closed(BaseModel):
    """A body; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


Person = Annotated[str, StringConstraints(max_length=200, pattern=_PLAIN)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=_PLAIN)]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class PersonBody(Closed):
    """Who does it."""

    by: Person = ""
    """The person, if the caller acts for one; by default the caller. The audit log records both."""


THE_CALLER = PersonBody()
"""A request without a body is the caller's own."""


class DeploymentBody(Closed):
    """A declared deployment."""

    target: Name
    """A target of the configuration."""
    name: Name
    """The deployment that the target serves now, such as a model version."""
    by: Person = ""
    """Who declares it; by default the caller."""
    detail: Annotated[dict[Key, Text], Field(max_length=50, json_schema_extra={"additionalProperties": False})] = {}
    """Further details: model, index, commit."""


class PromotionBody(PersonBody):
    """A run that becomes the baseline of its target and suite."""

    run_id: Name
    reason: Reason
    """Why it is trusted."""


class ComparisonBody(Closed):
    """Two stored runs of one suite."""

    baseline_run: Name
    candidate_run: Name
    policy: Name = "default"


class ReasonBody(PersonBody):
    """Why a person does it."""

    reason: Reason


class MatchBody(Closed):
    """Selects alerts: every given label must match. A text between slashes is a regular expression."""

    severity: Labels | None = None
    axis: Labels | None = None
    suite: Labels | None = None
    target: Labels | None = None
    owner: Labels | None = None


class DailyBody(Closed):
    """A part of each day, or of some weekdays; an end before or at the start is on the next day."""

    start: TimeOfDay
    end: TimeOfDay
    zone: Name = "UTC"
    """The time zone, such as ``Europe/Berlin``."""
    weekdays: Annotated[list[Weekday], Field(max_length=7)] = []
    """The days on which it starts; by default every day."""

    @property
    def window(self) -> tuple[time, time]:
        """Start and end."""
        return time.fromisoformat(self.start), time.fromisoformat(self.end)


class SilenceBody(ReasonBody):
    """A time without notifications: until ``ends_at``, or daily."""

    silence_id: Annotated[str, StringConstraints(pattern=r"^silence_[0-9a-f]{12}$")] | None = None
    """An id that the caller chose; by default a new one."""
    match: MatchBody = MatchBody()
    """The alerts it applies to; by default all."""
    starts_at: Instant | None = None
    """The start, with its zone; by default now."""
    ends_at: Instant | None = None
    """The end, with its zone."""
    daily: DailyBody | None = None


class SilenceShape(BaseModel):
    """A silence; one of the configuration has no id and no author."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    silence_id: str
    author: str
    reason: str
    match: dict[str, list[str]]
    starts_at: datetime | None
    ends_at: datetime | None
    daily: Annotated[list[TimeOfDay], Field(min_length=2, max_length=2)] | None
    """Start and end within a day of ``zone``."""
    zone: str
    weekdays: list[Weekday]
    created_at: datetime | None
    ended_by: str
    ended_at: datetime | None


class GateBody(Closed):
    """A gate to run."""

    target: Name | None = None
    """The target that is gated, or whose promoted baseline a candidate must hold."""
    candidates: Annotated[list[Name], Field(max_length=20)] = []
    """What may replace it: targets of the configuration, or URLs on ``server.candidate_hosts``."""
    baseline: Name | None = None
    """A live target to compare with, instead of the promoted baseline."""
    suites: Annotated[list[Name], Field(max_length=50)] = []
    """By default the suites of the target's schedules."""
    policy: Name = "default"
    fail_on: list[VerdictName] = []
    """Verdicts that fail; by default each but passed."""
    inconclusive_as: VerdictName = VerdictName.INCONCLUSIVE
    require_baseline: bool = False
    early_stopping: bool = True
    timeout_s: Annotated[float, Field(ge=1, le=86_400)] = 1_800


class TargetShape(BaseModel):
    """A target of the configuration; its address and its secrets are left out."""

    name: str
    kind: str
    owner: str
    has_answerer: bool
    latest_verdict: str | None
    deployment: str | None
    """The latest declared deployment."""


class SuiteShape(BaseModel):
    """A suite of the configuration."""

    name: str
    suite: str
    """Its own name, by which runs and baselines are stored."""
    version: str
    digest: str
    axis: str
    queries: int
    strata: list[str]


class PolicyShape(BaseModel):
    """A policy and the values in force."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    digest: str
    values: dict[str, Any]
    sentences: list[str]
    """Which drops page and which do not, in words."""


class ScheduleShape(BaseModel):
    """Suites that are replayed against a target at fixed times."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    target: str
    suites: list[str]
    """Their own names, by which runs and baselines are stored."""
    policy: str
    every_s: float | None
    cron: str | None


class NoiseShape(BaseModel):
    """The noise floor of a target and suite."""

    baseline_run_id: str
    noise: Noise


class CostShape(BaseModel):
    """The most that a gate sends to one candidate."""

    target: str
    probes: int
    answers: int
    grades: int
    seconds: float | None
    sentence: str


class VerdictShape(BaseModel):
    """A verdict; numbers that do not exist are null."""

    model_config = ConfigDict(extra="allow")

    verdict_id: str
    target: str
    verdict: VerdictName
    summary: str
    advice: str
    decided_at: datetime
    method: str
    seed: int
    policy_digest: str
    run_ids: list[str]
    baseline_run_ids: list[str]
    evidence: list[dict[str, Any]]


class GateAnswer(BaseModel):
    """The latest verdict about a target; a web metric of Argo Rollouts reads it."""

    target: str
    gate: VerdictName
    passed: bool
    verdict_id: str
    decided_at: datetime
    age_s: float
    summary: str


class HeadShape(BaseModel):
    """The latest entry of the audit log."""

    number: int
    hash: str


def silence_shape(silence: Silence) -> SilenceShape:
    """A silence as the API returns it."""
    daily = [f"{each:%H:%M}" for each in silence.daily] if silence.daily else None
    return SilenceShape.model_validate({**asdict(silence), "daily": daily})


def verdict_shape(verdict: Verdict) -> VerdictShape:
    """A verdict as the API returns it."""
    return VerdictShape.model_validate(verdict_to_dict(verdict))
