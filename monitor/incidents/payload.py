"""The payload of an alert: the incident, its evidence, links and the next command."""

from __future__ import annotations

import hashlib
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from monitor.decision.trade_off import find_trade_off
from monitor.incidents.headline import blame_of, cause_of, headline_of, in_order, strata_of, structure_of
from monitor.incidents.identity import drops_of
from monitor.incidents.routing import Labels, Links, OnCall
from monitor.model.alerts import Alert, AlertState
from monitor.model.incidents import Change, Incident, IncidentKind
from monitor.model.policies import Policy, QueryText
from monitor.model.verdicts import Evidence, Verdict

DASHBOARD = "recallwatch-target"
"""UID of the dashboard that an alert links to."""

_RUNBOOKS = {
    IncidentKind.REGRESSION: "recallwatchregression",
    IncidentKind.NO_DATA: "recallwatchnodata",
    IncidentKind.DEAD_LETTER: "recallwatchdeadletters",
}

_NO_EVIDENCE: dict[str, Any] = {
    "verdict_id": None, "run_ids": [], "baseline_run_ids": [], "advice": "", "method": None, "alpha": None,
    "fallen": [], "risen": [], "lost_queries": [], "insights": {}, "deployment": {}, "next_command": None,
    "headline": None, "strata": [], "gain": None, "cause": {}, "blame": None, "open_s": None,
}  # fmt: skip
_EVIDENCE_KEYS = (
    "suite", "axis", "stratum", "measure", "baseline_mean", "candidate_mean", "difference", "lower", "upper",
    "p_worse_adjusted", "p_better_adjusted", "n_queries", "n_clusters", "mde", "mde_page", "fallen",
)  # fmt: skip


_DOCUMENT_TEXT_KEYS = {"expected_answers", "answer_before", "answer_now", "titles"}
"""Keys of a lost query, besides its text, whose values quote the user's documents."""


def alert_of(
    incident: Incident, state: AlertState, on_call: OnCall, *, at: datetime, facts: Mapping[str, Any]
) -> Alert:
    """The alert about an incident. Its id follows from the incident, its revision and the state."""
    labels = labels_of(incident, on_call)
    silenced_until, silence = on_call.silence_for(labels, at)
    links = {**_links(incident, on_call.links), **_links_of_evidence(facts, on_call.links)}
    description = {"summary": incident.summary, **_incident(incident, state, labels.owner), "silence": silence}
    payload = {
        "type": f"incident.{state}",
        "timestamp": at.isoformat(),
        "data": {**_NO_EVIDENCE, **description, **facts, "links": links},
    }
    origin = f"{incident.incident_id}/{state}/{incident.revision}"
    return Alert(
        alert_id=f"alert_{hashlib.sha256(origin.encode()).hexdigest()[:24]}",
        incident_id=incident.incident_id,
        dedup_key=incident.dedup_key,
        state=state,
        payload=payload,
        created_at=at,
        notifiers=on_call.notifiers_for(labels) if state is AlertState.FIRING else (),
        silenced_until=silenced_until,
        silence=silence,
    )


def labels_of(incident: Incident, on_call: OnCall) -> Labels:
    """The labels by which routes and silences select an incident."""
    owner = on_call.owners.get(incident.target, "")
    return Labels(
        target=incident.target, severity=incident.severity, owner=owner, axes=incident.axes, suites=incident.suites
    )


def evidence_of(verdict: Verdict, state: AlertState, change: Change) -> dict[str, Any]:
    """The part of an alert that comes from a verdict: drops and gains, statistics, deployment, lost queries."""
    policy = verdict.policy
    trade_off = find_trade_off(verdict.evidence, policy)
    fallen = in_order(drops_of(verdict))
    headline = headline_of(fallen)
    gains = (evidence for evidence in verdict.evidence if has_risen(evidence, policy))
    risen = [*([trade_off.risen] if trade_off else []), *sorted(gains, key=lambda evidence: -evidence.difference)]
    return {
        "verdict_id": verdict.verdict_id,
        "verdict": str(verdict.name),
        "summary": verdict.summary,
        "advice": verdict.advice,
        "run_ids": list(verdict.run_ids),
        "baseline_run_ids": list(verdict.baseline_run_ids),
        "method": verdict.method,
        "alpha": policy.alpha_page,
        "fallen": [_evidence_row(evidence) for evidence in fallen],
        "risen": [_evidence_row(evidence) for evidence in risen],
        "lost_queries": [redact(query, policy.query_text) for query in verdict.lost_queries],
        "insights": dict(verdict.insights),
        "deployment": _deployment(change),
        "headline": _evidence_row(headline) if headline else None,
        "strata": [_evidence_row(each) for each in strata_of(headline, verdict.evidence)] if headline else [],
        "gain": _evidence_row(structure) if (structure := structure_of(verdict.evidence)) else None,
        "cause": cause_of(change),
        "blame": blame_of(headline, verdict.insights),
        "next_command": _next_command(fallen, change) if state is AlertState.FIRING else None,
    }


def missing_for_recovery(incident: Incident, verdict: Verdict | None) -> str:
    """What an open regression still needs to be resolved; empty for any other incident."""
    if not incident.is_open or incident.kind is not IncidentKind.REGRESSION or verdict is None:
        return ""
    recover = verdict.policy.recover
    waiting = [f"{suite} ({count} of {recover})" for suite, count in incident.recovering.items() if count < recover]
    return (
        f"It ends after {recover} verdicts in a row that pass, or that show what fell within its margin again; "
        f"missing: {', '.join(waiting)}. The latest verdict is {verdict.name}: {verdict.summary}"
    )


def carried_over(alerts: Sequence[Alert]) -> dict[str, Any]:
    """The evidence of the latest firing alert, which a later message repeats; empty without one."""
    firing = [each for each in alerts if each.state is AlertState.FIRING]
    data = firing[-1].payload.get("data", {}) if firing else {}
    return {key: data[key] for key in (*_NO_EVIDENCE, "verdict") if key in data and key not in ("open_s",)}


def has_risen(evidence: Evidence, policy: Policy) -> bool:
    """Whether a gating measure rose, significantly after correction and by more than the floor."""
    return (
        evidence.gating
        and evidence.p_better_adjusted <= policy.alpha_warn
        and evidence.difference >= policy.floor_absolute
    )


def _incident(incident: Incident, state: AlertState, owner: str) -> dict[str, Any]:
    return {
        "incident_id": incident.incident_id,
        "dedup_key": incident.dedup_key,
        "kind": str(incident.kind),
        "subject": incident.subject or incident.target,
        "state": str(state),
        "severity": str(incident.severity),
        "target": incident.target,
        "owner": owner or None,
        "policy": incident.policy,
        "verdict": incident.verdict_name,
        "suites": list(incident.suites),
        "axes": list(incident.axes),
        "first_drop": _first_drop(incident),
        "opened_at": incident.opened_at.isoformat(),
        "reopened": incident.reopened,
        "acknowledged_at": _iso(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by or None,
        "resolved_at": _iso(incident.resolved_at),
        "resolution": str(incident.resolution) or None,
        "reason": incident.reason or None,
        "duration_s": duration_s(incident),
    }


def _first_drop(incident: Incident) -> dict[str, str]:
    """Axis, suite and stratum of what fell first: the same in every message of an incident, so that it can identify."""
    suite, stratum = incident.fallen[0][:2] if incident.fallen else ("", "")
    values = {"axis": incident.axes[0] if incident.axes else "", "suite": suite, "stratum": stratum}
    return {name: value for name, value in values.items() if value}


def duration_s(incident: Incident) -> float | None:
    """Seconds from the first paging verdict, or from the reopening, to the resolution; None while it is active."""
    if incident.resolved_at is None:
        return None
    started_at = incident.fired_at if incident.reopened and incident.fired_at else incident.opened_at
    return (incident.resolved_at - started_at).total_seconds()


def _evidence_row(evidence: Evidence) -> dict[str, Any]:
    values = asdict(evidence)
    return {key: _finite(values[key]) for key in _EVIDENCE_KEYS}


def _deployment(change: Change) -> dict[str, Any]:
    return {
        "baseline": change.baseline or None,
        "candidate": change.candidate or None,
        "since": _iso(change.since),
        "declared": change.declared,
        "declared_by": change.declared_by or None,
    }


def redact(query: Mapping[str, Any], query_text: QueryText) -> dict[str, Any]:
    """A lost query without the texts that the policy withholds from alerts."""
    if query_text == "show":
        return dict(query)
    text = str(query.get("query", ""))
    replacement = f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}" if query_text == "hash" else None
    return {**query, "query": replacement} | dict.fromkeys(query.keys() & _DOCUMENT_TEXT_KEYS)


def _next_command(fallen: Sequence[Evidence], change: Change) -> str | None:
    """The command that compares the runs of the headline's suite."""
    runs = next((change.runs[evidence.suite] for evidence in fallen if evidence.suite in change.runs), None)
    return f"recallwatch compare {shlex.join(runs)}" if runs else None


def _links(incident: Incident, links: Links) -> dict[str, str]:
    public = links.public_url.rstrip("/")
    runbook = links.runbook_url or (f"{public}/docs/runbooks" if public else "")
    urls = {"incident": f"{public}/incidents/{quote(incident.incident_id)}"} if public else {}
    if runbook:
        urls["runbook"] = f"{runbook}#{_RUNBOOKS[incident.kind]}"
    if links.dashboards_url:
        query = urlencode({"var-target": incident.target})
        urls["dashboard"] = f"{links.dashboards_url.rstrip('/')}/d/{DASHBOARD}?{query}"
    return urls


def _links_of_evidence(facts: Mapping[str, Any], links: Links) -> dict[str, str]:
    if not links.public_url or not facts.get("run_ids"):
        return {}
    public = links.public_url.rstrip("/")
    return {
        "run": f"{public}/runs/{quote(facts['run_ids'][0])}",
        "comparison": f"{public}/comparisons/{quote(facts['verdict_id'])}",
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
