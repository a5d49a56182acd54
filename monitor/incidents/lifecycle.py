"""Life of an incident: how verdicts open, update, reopen and close it, and which alerts follow.

    suspected ──▶ open ──▶ acknowledged ──▶ resolved ──▶ (reopened) open
        │          └──────────┴──▶ dismissed
        └──▶ withdrawn

The incident holds all state that the next step needs, so a restart loses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from monitor.incidents.identity import (
    NO_CHANGE,
    baselines_of,
    bound_key,
    dedup_key,
    drops_of,
    identify,
    place_of,
    worse_than,
)
from monitor.incidents.payload import alert_of, evidence_of, labels_of
from monitor.incidents.routing import OnCall
from monitor.model.alerts import Alert, AlertState
from monitor.model.incidents import Change, Incident, IncidentStatus, Resolution, Severity
from monitor.model.policies import Policy
from monitor.model.suites import Axis
from monitor.model.verdicts import Evidence, Verdict, VerdictName
from monitor.statistics.pairing import OVERALL

Step = tuple[Incident | None, tuple[Alert, ...]]
"""The incident after a step, and the alerts to queue with it."""

Facts = Mapping[str, Any]
NO_FACTS: Facts = {}
_NAMED = 3
"""Reasons for reopening that a message names."""


def advance(
    current: Incident | None, verdict: Verdict, on_call: OnCall, change: Change = NO_CHANGE, *, policy: str = "default"
) -> Step:
    """The incident after the verdict, and the alerts to queue.

    ``current`` is the incident that the verdict belongs to, by `identity.related`. If the verdict adds nothing, the
    same object is returned.

    ``confirm`` paging verdicts in a row open an incident. ``recover`` verdicts in a row for each of its suites resolve
    it that either passed, or show that whatever fell is no longer worse, while nothing else fell. Results equal to the
    baseline's resolve it at once. ``invalid`` changes nothing, because it shows neither a drop nor a recovery.
    """
    if verdict.name.pages:
        return _worsen(current, verdict, on_call, change, policy)
    if current is None or not current.is_active or verdict.name is VerdictName.INVALID:
        return current, ()
    judged = {evidence.suite for evidence in verdict.evidence} & set(current.recovering)
    if not judged:
        return current, ()
    if current.status is IncidentStatus.SUSPECTED:
        return _withdraw(current), ()
    return _recover(current, verdict, judged, on_call, change)


def acknowledge(incident: Incident, on_call: OnCall, *, by: str, at: datetime, facts: Facts = NO_FACTS) -> Step:
    """The acknowledged incident; unchanged unless its status is open. ``facts`` are those of its firing alert."""
    if incident.status is not IncidentStatus.OPEN:
        return incident, ()
    acknowledged = _revised(incident, status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=at, acknowledged_by=by)
    facts = {**facts, "summary": f"Acknowledged by {by}. {incident.summary}"}
    return acknowledged, (alert_of(acknowledged, AlertState.ACKNOWLEDGED, on_call, at=at, facts=facts),)


def remind(incident: Incident, on_call: OnCall, *, at: datetime, facts: Facts = NO_FACTS) -> Step:
    """The open incident with a reminder, if it is due and no person has acknowledged the incident."""
    every_s = on_call.remind_every_s(labels_of(incident, on_call))
    last_at = incident.reminded_at or incident.fired_at or incident.opened_at
    if incident.status is not IncidentStatus.OPEN or every_s is None or at - last_at < timedelta(seconds=every_s):
        return incident, ()
    reminded = _revised(incident, reminded_at=at)
    open_s = (at - (incident.fired_at or incident.opened_at)).total_seconds()
    facts = {**facts, "open_s": open_s}
    return reminded, (alert_of(reminded, AlertState.REMINDER, on_call, at=at, facts=facts),)


def dismiss(
    incident: Incident, on_call: OnCall, *, by: str, reason: str, at: datetime, facts: Facts = NO_FACTS
) -> Step:
    """The incident as a false alarm. Dismissing a closed incident corrects the record and sends no alert."""
    if incident.status in (IncidentStatus.DISMISSED, IncidentStatus.WITHDRAWN):
        return incident, ()
    dismissed = _revised(
        incident,
        status=IncidentStatus.DISMISSED,
        resolution=Resolution.DISMISSED,
        dismissed_by=by,
        reason=f"{reason} ({by})",
        resolved_at=incident.resolved_at or at,
    )
    if not incident.is_open:
        return dismissed, ()
    facts = {**facts, "summary": f"Dismissed by {by}: {reason}"}
    return dismissed, (alert_of(dismissed, AlertState.RESOLVED, on_call, at=at, facts=facts),)


def severity_of(verdict: Verdict) -> Severity:
    """Critical for a trade-off and for a large drop of the whole broad axis, else a warning."""
    if verdict.name is VerdictName.TRADE_OFF:
        return Severity.CRITICAL
    is_critical = any(_is_critical(evidence, verdict.policy) for evidence in verdict.evidence)
    return Severity.CRITICAL if is_critical else Severity.WARNING


def _is_critical(evidence: Evidence, policy: Policy) -> bool:
    return (
        evidence.axis is Axis.BROAD
        and evidence.stratum == OVERALL
        and evidence.fallen
        and (
            evidence.difference <= -policy.critical_absolute
            or evidence.relative_difference <= -policy.critical_relative
        )
    )


def _worsen(current: Incident | None, verdict: Verdict, on_call: OnCall, change: Change, policy: str) -> Step:
    severity = severity_of(verdict)
    reason = "" if current is None else _reason_to_reopen(current, verdict, severity)
    if current is not None and current.status is IncidentStatus.DISMISSED and not reason:
        return current, ()  # the same drop was dismissed as a false alarm
    if current is None or not (current.is_active or reason):
        current = _new(verdict, change, policy)
    worse = _confirmed(_with_evidence(current, verdict, severity, change), verdict, reason)
    if worse == current:
        return current, ()
    worse = replace(worse, revision=current.revision + 1)
    must_alert = worse.is_open and (not current.is_open or worse.severity.rank > current.severity.rank)
    if not must_alert:
        return worse, ()
    fired_at = current.fired_at if current.is_open else verdict.decided_at
    worse = replace(worse, fired_at=fired_at, summary=verdict.summary)
    return worse, (_alert(worse, AlertState.FIRING, verdict, on_call, change),)


def _new(verdict: Verdict, change: Change, policy: str) -> Incident:
    return Incident(
        incident_id=identify(verdict.verdict_id, "incident"),
        dedup_key=dedup_key(verdict.target, baselines_of(verdict, change)),
        target=verdict.target,
        opened_at=verdict.decided_at,
        subject=verdict.target,
        policy=policy,
        summary=verdict.summary,
        revision=0,
    )


def _reason_to_reopen(incident: Incident, verdict: Verdict, severity: Severity) -> str:
    """Why a closed incident must be reopened; empty for one that stays closed, or that is not closed."""
    if incident.status is IncidentStatus.DISMISSED:
        worse = worse_than(incident, verdict)
        if not worse and severity.rank > incident.severity.rank:
            worse = [f"its severity is {severity}"]
        return f"Dismissed before ({incident.reason}), but {'; '.join(worse[:_NAMED])}." if worse else ""
    if _may_reopen(incident, verdict) and incident.resolved_at is not None:
        return f"It was resolved at {incident.resolved_at:%H:%M} UTC and fell again."
    return ""


def _may_reopen(incident: Incident, verdict: Verdict) -> bool:
    if incident.status is not IncidentStatus.RESOLVED or incident.resolved_at is None:
        return False
    return verdict.decided_at - incident.resolved_at <= timedelta(seconds=verdict.policy.reopen_within)


def _with_evidence(incident: Incident, verdict: Verdict, severity: Severity, change: Change) -> Incident:
    """The incident with every drop so far; a new drop resets the recovery count of its suite."""
    fallen = drops_of(verdict)
    lowest = {bound_key(each): each.lower for each in verdict.evidence if each.gating and math.isfinite(each.lower)}
    return replace(
        incident,
        verdict_name=str(verdict.name),
        severity=max(severity, incident.severity, key=lambda level: level.rank),
        recovering={**incident.recovering, **{evidence.suite: 0 for evidence in fallen}},
        fallen=tuple(dict.fromkeys((*incident.fallen, *(place_of(evidence) for evidence in fallen)))),
        bounds=dict(incident.bounds) | {key: min(low, incident.bounds.get(key, low)) for key, low in lowest.items()},
        axes=tuple(dict.fromkeys((*incident.axes, *(str(evidence.axis) for evidence in fallen)))),
        baseline_run_ids=tuple(dict.fromkeys((*incident.baseline_run_ids, *baselines_of(verdict, change)))),
    )


def _confirmed(incident: Incident, verdict: Verdict, reason: str) -> Incident:
    """The incident with one more paging verdict; open once the policy's number is reached."""
    if incident.is_open:
        return incident
    n_paging = incident.n_paging + 1
    if n_paging < verdict.policy.confirm:
        return replace(incident, status=IncidentStatus.SUSPECTED, n_paging=n_paging, reason=reason or incident.reason)
    return replace(
        incident,
        status=IncidentStatus.OPEN,
        n_paging=0,
        reopened=incident.reopened + (incident.resolved_at is not None),
        resolved_at=None,
        resolution=Resolution.NONE,
        dismissed_by="",
        reason=reason or incident.reason,
        reminded_at=None,
    )


def _withdraw(incident: Incident) -> Incident:
    """Close an incident that was never confirmed and never alerted."""
    before = IncidentStatus.DISMISSED if incident.resolution is Resolution.DISMISSED else IncidentStatus.RESOLVED
    status = before if incident.resolved_at is not None else IncidentStatus.WITHDRAWN
    return _revised(incident, status=status, n_paging=0)


def _recover(incident: Incident, verdict: Verdict, judged: set[str], on_call: OnCall, change: Change) -> Step:
    """Count one more verdict that does not page; resolve the incident once every suite has recovered."""
    is_recovered = verdict.name is VerdictName.PASSED or _is_no_longer_worse(incident, verdict)
    counts = {
        suite: _recovery(suite, count, verdict) if is_recovered and suite in judged else 0 if suite in judged else count
        for suite, count in incident.recovering.items()
    }
    if counts == dict(incident.recovering):
        return incident, ()
    if any(count < verdict.policy.recover for count in counts.values()):
        return _revised(incident, recovering=counts), ()
    resolved = _revised(
        incident,
        status=IncidentStatus.RESOLVED,
        recovering=counts,
        resolved_at=verdict.decided_at,
        resolution=_resolution(incident, verdict),
    )
    return resolved, (_alert(resolved, AlertState.RESOLVED, verdict, on_call, change),)


def _recovery(suite: str, count: int, verdict: Verdict) -> int:
    """Passed verdicts in a row; results that equal the baseline's count as a full recovery."""
    return verdict.policy.recover if _is_restored(verdict, {suite}) else min(count + 1, verdict.policy.recover)


def _is_no_longer_worse(incident: Incident, verdict: Verdict) -> bool:
    """Whether the intervals of everything that fell lie above the tolerated drop, while nothing else fell."""
    if verdict.fallen or not incident.fallen:
        return False
    by_place = {place_of(evidence): evidence for evidence in verdict.evidence}
    judged = [by_place[place] for place in incident.fallen if place in by_place]
    return bool(judged) and all(_is_within_margin(evidence, verdict.policy) for evidence in judged)


def _is_within_margin(evidence: Evidence, policy: Policy) -> bool:
    """Whether the interval of the difference lies above the tolerated drop of an axis or a stratum."""
    place = (evidence.axis, evidence.suite, evidence.stratum, evidence.measure)
    is_whole = evidence.stratum == OVERALL
    margin = policy.tolerance_of(*place).margin if is_whole else policy.stratum_margin_of(*place)
    return evidence.lower > -margin * evidence.baseline_mean


def _is_restored(verdict: Verdict, suites: set[str]) -> bool:
    gating = [evidence for evidence in verdict.evidence if evidence.gating and evidence.suite in suites]
    return bool(gating) and all(evidence.difference == evidence.lower == evidence.upper == 0 for evidence in gating)


def _resolution(incident: Incident, verdict: Verdict) -> Resolution:
    if not set(incident.baseline_run_ids) & set(verdict.baseline_run_ids):
        return Resolution.ACCEPTED  # another baseline was promoted
    return Resolution.ROLLED_BACK if _is_restored(verdict, set(incident.recovering)) else Resolution.RECOVERED


def _alert(incident: Incident, state: AlertState, verdict: Verdict, on_call: OnCall, change: Change) -> Alert:
    facts = evidence_of(verdict, state, change)
    return alert_of(incident, state, on_call, at=verdict.decided_at, facts=facts)


def _revised(incident: Incident, **changes: Any) -> Incident:
    return replace(incident, revision=incident.revision + 1, **changes)
