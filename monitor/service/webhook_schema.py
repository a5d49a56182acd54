"""The JSON Schema of the messages that the webhook notifier sends."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from monitor.model.incidents import IncidentKind
from monitor.model.suites import Axis

Type = Literal["incident.firing", "incident.acknowledged", "incident.reminder", "incident.resolved"]
State = Literal["firing", "acknowledged", "reminder", "resolved"]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Comparison(_Closed):
    """One measure of one stratum, compared between baseline and candidate; null where a number does not exist."""

    suite: str
    axis: Axis
    stratum: str
    measure: str
    baseline_mean: float | None
    candidate_mean: float | None
    difference: float | None
    lower: float | None
    """Lower bound of the 95 % interval of the difference."""
    upper: float | None
    p_worse_adjusted: float | None
    p_better_adjusted: float | None
    n_queries: int
    n_clusters: int
    mde: float | None
    """Smallest drop that one test detects with 80 % power."""
    mde_page: float | None
    """The same at the level of a page."""
    fallen: bool


class LostQuery(_Closed):
    """A query from what fell. Texts are null where the policy withholds them."""

    query_id: str
    query: str | None
    suite: str
    stratum: str
    measure: str
    difference: float
    expected: list[str]
    """Ids of the relevant documents."""
    rank_before: int | None
    """Rank of the first relevant document; null if none was returned."""
    rank_now: int | None
    retrieved_before: list[str]
    retrieved_now: list[str]
    titles: dict[str, str] | None = None
    """Titles of these documents, by id."""
    expected_answers: list[str] | None = None
    answer_before: str | None = None
    answer_now: str | None = None


class Served(_Closed):
    """The trusted deployment and the one that is served."""

    baseline: str | None = None
    candidate: str | None = None
    since: AwareDatetime | None = None
    declared: bool | None = None
    """Whether the change was declared; null if none was detected."""
    declared_by: str | None = None


class Cause(_Closed):
    """The likely cause of the change."""

    likely: str | None = None
    evidence: str | None = None
    excluded: list[str] = []
    share_changed: float | None = None
    """Share of queries whose ranking changed."""


class Blame(_Closed):
    """The shares of retrieval, generation and judge in the drop of the answers; they add up to 1."""

    shares: dict[str, float]
    measure: str | None
    sentence: str | None


class FirstDrop(_Closed):
    """What fell first; the same in every message of an incident."""

    axis: str | None = None
    suite: str | None = None
    stratum: str | None = None


class Links(_Closed):
    """Addresses for people; which ones depends on the configuration."""

    incident: str | None = None
    runbook: str | None = None
    dashboard: str | None = None
    run: str | None = None
    comparison: str | None = None
    acknowledge: str | None = None
    """A signed link that acknowledges the incident; it is added when the message is sent."""


class IncidentData(_Closed):
    """An incident with its evidence. Every key is always present."""

    incident_id: str
    dedup_key: str
    """The same in every message of an incident."""
    kind: IncidentKind
    subject: str
    """The target, schedule or notifier."""
    state: State
    severity: Literal["warning", "critical"]
    target: str
    owner: str | None
    policy: str
    verdict: str
    suites: list[str]
    axes: list[str]
    first_drop: FirstDrop
    opened_at: AwareDatetime
    reopened: int
    acknowledged_at: AwareDatetime | None
    acknowledged_by: str | None
    resolved_at: AwareDatetime | None
    resolution: Literal["rolled_back", "recovered", "accepted", "dismissed"] | None
    reason: str | None
    """Why it was dismissed, or reopened."""
    duration_s: float | None
    open_s: float | None
    """How long it has been open; only in a reminder."""
    silence: str
    """The reason of the silence that held the message back; empty without one."""
    summary: str
    advice: str
    next_command: str | None
    verdict_id: str | None
    run_ids: list[str]
    baseline_run_ids: list[str]
    method: str | None
    alpha: float | None
    headline: Comparison | None
    """The drop that the message leads with."""
    strata: list[Comparison]
    """The measure of the headline in each stratum, the largest drop first."""
    gain: Comparison | None
    """The most sensitive measure of structure over all phenomena."""
    fallen: list[Comparison]
    risen: list[Comparison]
    lost_queries: list[LostQuery]
    insights: dict[str, Any]
    """Explanations by suite: attribution of an answer drop, headroom, chains; and the safety of each axis."""
    deployment: Served
    cause: Cause
    blame: Blame | None
    links: Links


class TestData(_Closed):
    """A test of the notifier; nothing has happened."""

    __test__ = False  # no test of pytest

    test: Literal[True]
    incident_id: str
    dedup_key: str
    state: State
    severity: Literal["info"]
    target: str
    verdict: Literal["test"]
    summary: str
    advice: str
    opened_at: AwareDatetime
    resolved_at: AwareDatetime | None
    next_command: str | None


class WebhookMessage(_Closed):
    """The body of a request of the webhook notifier, signed according to Standard Webhooks."""

    type: Type
    timestamp: AwareDatetime
    data: IncidentData | TestData


def webhook_schema() -> dict[str, Any]:
    """The JSON Schema of every message."""
    schema = WebhookMessage.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
