"""Incidents: when a verdict opens one, keeps it, reopens it or closes it, and what on-call is told.

    suspected ──▶ open ──▶ acknowledged ──▶ resolved ──▶ (reopened) open
        │          └──────────┴──▶ dismissed
        └──▶ withdrawn

Everything that the next step needs is in the incident itself, so that a restart forgets nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from monitor.incidents.payload import alert_of, evidence_of
from monitor.incidents.routing import OnCall
from monitor.model.alerts import Alert, AlertState
from monitor.model.incidents import Change, Incident, IncidentStatus, Resolution, Severity
from monitor.model.policies import Policy
from monitor.model.suites import Axis
from monitor.model.verdicts import Evidence, Verdict, VerdictName

Step = tuple[Incident | None, tuple[Alert, ...]]
"""The incident as it is now, and the alerts to queue with it."""

NO_CHANGE = Change()


def dedup_key(target: str, change: Change = NO_CHANGE) -> str:
    """The key under which on-call tools fold all messages of one cause: a target and the change of what it serves."""
    cause = hashlib.sha256(f"{change.baseline}\0{change.candidate}".encode()).hexdigest()[:12]
    return f"recallwatch/{target}/{cause}"


def advance(
    found: Incident | None, verdict: Verdict, on_call: OnCall, change: Change = NO_CHANGE, *, policy: str = "default"
) -> Step:
    """The incident after the verdict, and the alerts to queue.

    ``found`` is the incident that lasts for the target, else the last one under the key of the change. It comes back
    unchanged, the same object, if the verdict says nothing new about it.

    Verdicts that page open an incident once there are ``confirm`` of them in a row; verdicts that pass resolve it
    once there are ``recover`` in a row for each of its suites, or at once if every result equals the baseline's.
    ``invalid`` changes nothing, for it shows neither harm nor recovery.
    """
    if verdict.name.pages:
        return _worsen(found, verdict, on_call, change, policy)
    if found is None or not found.is_active or verdict.name is VerdictName.INVALID:
        return found, ()
    judged = {each.suite for each in verdict.evidence} & set(found.recovering)
    if not judged:
        return found, ()
    if found.status is IncidentStatus.SUSPECTED:
        return _withdraw(found), ()
    return _ease(found, verdict, judged, on_call, change)


def acknowledge(incident: Incident, on_call: OnCall, *, by: str, at: datetime) -> Step:
    """The incident as somebody's own; unchanged unless it is open and nobody's yet."""
    if incident.status is not IncidentStatus.OPEN:
        return incident, ()
    taken = _revised(incident, status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=at, acknowledged_by=by)
    facts = {"summary": f"{by} looks after it. {incident.summary}"}
    return taken, (alert_of(taken, AlertState.ACKNOWLEDGED, on_call, at=at, facts=facts),)


def dismiss(incident: Incident, on_call: OnCall, *, by: str, reason: str, at: datetime) -> Step:
    """The incident as a false alarm; one that is over can still be called so, for the record, and nobody is told."""
    if incident.status in (IncidentStatus.DISMISSED, IncidentStatus.WITHDRAWN):
        return incident, ()
    ended = _revised(
        incident,
        status=IncidentStatus.DISMISSED,
        resolution=Resolution.DISMISSED,
        reason=f"{reason} ({by})",
        resolved_at=incident.resolved_at or at,
    )
    if not incident.is_open:
        return ended, ()
    facts = {"summary": f"Dismissed by {by}: {reason}"}
    return ended, (alert_of(ended, AlertState.RESOLVED, on_call, at=at, facts=facts),)


def severity_of(verdict: Verdict) -> Severity:
    """Critical for a trade-off and for a large drop of the whole broad axis, else a warning."""
    if verdict.name is VerdictName.TRADE_OFF:
        return Severity.CRITICAL
    is_grave = any(_is_grave(each, verdict.policy) for each in verdict.evidence)
    return Severity.CRITICAL if is_grave else Severity.WARNING


def _is_grave(evidence: Evidence, policy: Policy) -> bool:
    return (
        evidence.axis is Axis.BROAD
        and evidence.stratum == "overall"
        and evidence.fallen
        and (
            evidence.difference <= -policy.critical_absolute
            or evidence.relative_difference <= -policy.critical_relative
        )
    )


def _worsen(found: Incident | None, verdict: Verdict, on_call: OnCall, change: Change, policy: str) -> Step:
    severity = severity_of(verdict)
    if found is not None and found.status is IncidentStatus.DISMISSED and severity.rank <= found.severity.rank:
        return found, ()  # the same cause, no worse: it was said to be a false alarm
    if found is None or not (found.is_active or _may_reopen(found, verdict)):
        found = _new(verdict, change, policy)
    worse = _confirmed(_with_evidence(found, verdict, severity), verdict)
    if worse == found:
        return found, ()
    worse = replace(worse, revision=found.revision + 1)
    is_news = worse.is_open and (not found.is_open or worse.severity.rank > found.severity.rank)
    if not is_news:
        return worse, ()
    fired_at = found.fired_at if found.is_open else verdict.decided_at
    worse = replace(worse, fired_at=fired_at, summary=verdict.summary)
    return worse, (_alert(worse, AlertState.FIRING, verdict, on_call, change),)


def _new(verdict: Verdict, change: Change, policy: str) -> Incident:
    return Incident(
        identify(verdict.verdict_id, "incident"),
        dedup_key(verdict.target, change),
        verdict.target,
        verdict.decided_at,
        subject=verdict.target,
        policy=policy,
        summary=verdict.summary,
        revision=0,
    )


def _may_reopen(incident: Incident, verdict: Verdict) -> bool:
    if incident.status is not IncidentStatus.RESOLVED or incident.resolved_at is None:
        return False
    return verdict.decided_at - incident.resolved_at <= timedelta(seconds=verdict.policy.reopen_within)


def _with_evidence(incident: Incident, verdict: Verdict, severity: Severity) -> Incident:
    """The incident about everything that has fallen so far; what falls has not begun to recover."""
    fallen = verdict.fallen
    return replace(
        incident,
        verdict_name=str(verdict.name),
        severity=max(severity, incident.severity, key=lambda each: each.rank),
        recovering={**incident.recovering, **{each.suite: 0 for each in fallen}},
        axes=tuple(dict.fromkeys((*incident.axes, *(str(each.axis) for each in fallen)))),
        baseline_run_ids=tuple(dict.fromkeys((*incident.baseline_run_ids, *verdict.baseline_run_ids))),
    )


def _confirmed(incident: Incident, verdict: Verdict) -> Incident:
    """The incident with one more paging verdict: open when there are enough of them."""
    if incident.is_open:
        return incident
    n_paging = incident.n_paging + 1
    if n_paging < verdict.policy.confirm:
        return replace(incident, status=IncidentStatus.SUSPECTED, n_paging=n_paging)
    return replace(
        incident,
        status=IncidentStatus.OPEN,
        n_paging=0,
        reopened=incident.reopened + (incident.resolved_at is not None),
        resolved_at=None,
        resolution=Resolution.NONE,
    )


def _withdraw(incident: Incident) -> Incident:
    """A suspicion that was not confirmed: nobody heard of it."""
    was_over = incident.resolved_at is not None
    status = IncidentStatus.RESOLVED if was_over else IncidentStatus.WITHDRAWN
    return _revised(incident, status=status, n_paging=0)


def _ease(incident: Incident, verdict: Verdict, judged: set[str], on_call: OnCall, change: Change) -> Step:
    """One more verdict that does not page."""
    passed = verdict.name is VerdictName.PASSED
    enough = verdict.policy.recover
    counted = {
        suite: _recovery(suite, count, verdict) if passed and suite in judged else 0 if suite in judged else count
        for suite, count in incident.recovering.items()
    }
    if counted == dict(incident.recovering):
        return incident, ()
    if any(count < enough for count in counted.values()):
        return _revised(incident, recovering=counted), ()
    resolved = _revised(
        incident,
        status=IncidentStatus.RESOLVED,
        recovering=counted,
        resolved_at=verdict.decided_at,
        resolution=_resolution(incident, verdict),
    )
    return resolved, (_alert(resolved, AlertState.RESOLVED, verdict, on_call, change),)


def _recovery(suite: str, count: int, verdict: Verdict) -> int:
    """Passed verdicts in a row; results that equal the baseline's need no second look."""
    return verdict.policy.recover if _is_restored(verdict, {suite}) else min(count + 1, verdict.policy.recover)


def _is_restored(verdict: Verdict, suites: set[str]) -> bool:
    gating = [each for each in verdict.evidence if each.gating and each.suite in suites]
    return bool(gating) and all(each.difference == each.lower == each.upper == 0 for each in gating)


def _resolution(incident: Incident, verdict: Verdict) -> Resolution:
    if not set(incident.baseline_run_ids) & set(verdict.baseline_run_ids):
        return Resolution.ACCEPTED  # somebody promoted another baseline
    return Resolution.ROLLED_BACK if _is_restored(verdict, set(incident.recovering)) else Resolution.RECOVERED


def _alert(incident: Incident, state: AlertState, verdict: Verdict, on_call: OnCall, change: Change) -> Alert:
    facts = evidence_of(verdict, state, change)
    return alert_of(incident, state, on_call, at=verdict.decided_at, facts=facts)


def _revised(incident: Incident, **changes: Any) -> Incident:
    return replace(incident, revision=incident.revision + 1, **changes)


def identify(origin: str, kind: str) -> str:
    """An id that follows from its cause, so that deciding twice cannot alert twice."""
    return f"{kind}_{hashlib.sha256(f'{origin}/{kind}'.encode()).hexdigest()[:24]}"
