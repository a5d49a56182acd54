"""When a verdict opens an incident, keeps it, or closes it, and what on-call is told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from monitor.decision.judgement import has_fallen
from monitor.verdict import Alert, AlertState, Incident, Verdict, VerdictName


def dedup_key(target: str) -> str:
    """The key under which on-call tools fold all messages of one cause."""
    return f"recallwatch/{target}"


def advance(open_incident: Incident | None, verdict: Verdict) -> tuple[Incident | None, tuple[Alert, ...]]:
    """The incident after the verdict, and the alerts to queue.

    A verdict that pages opens an incident, or leaves the open one as it is; ``passed`` resolves it;
    ``inconclusive`` and ``invalid`` change nothing, for neither shows harm nor recovery.
    """
    if verdict.name.pages and open_incident is None:
        incident = Incident(
            _identify(verdict.verdict_id, "incident"),
            dedup_key(verdict.target),
            verdict.target,
            verdict.name,
            verdict.decided_at,
        )
        return incident, (_alert(incident, verdict, AlertState.FIRING),)
    if verdict.name is VerdictName.PASSED and open_incident is not None:
        incident = replace(open_incident, resolved_at=verdict.decided_at)
        return incident, (_alert(incident, verdict, AlertState.RESOLVED),)
    return open_incident, ()


def _alert(incident: Incident, verdict: Verdict, state: AlertState) -> Alert:
    return Alert(
        _identify(incident.incident_id, state),
        incident.incident_id,
        incident.dedup_key,
        state,
        _payload(incident, verdict, state),
        verdict.decided_at,
    )


def _payload(incident: Incident, verdict: Verdict, state: AlertState) -> dict[str, Any]:
    return {
        "type": f"incident.{state}",
        "timestamp": verdict.decided_at.isoformat(),
        "data": {
            "incident_id": incident.incident_id,
            "dedup_key": incident.dedup_key,
            "state": str(state),
            "target": verdict.target,
            "verdict": str(verdict.name),
            "summary": verdict.summary,
            "advice": verdict.advice,
            "opened_at": incident.opened_at.isoformat(),
            "resolved_at": incident.resolved_at.isoformat() if incident.resolved_at else None,
            "verdict_id": verdict.verdict_id,
            "run_ids": list(verdict.run_ids),
            "baseline_run_ids": list(verdict.baseline_run_ids),
            "fallen": [_fell(asdict(e)) for e in verdict.evidence if has_fallen(e, verdict.policy)],
            "lost_queries": [dict(each) for each in verdict.lost_queries],
            "next_command": f"recallwatch compare {verdict.baseline_run_ids[0]} {verdict.run_ids[0]}",
        },
    }


_TOLD = (
    "suite", "axis", "stratum", "measure", "baseline_mean", "candidate_mean", "difference", "lower", "upper",
    "p_worse_adjusted", "n_queries", "n_clusters", "mde",
)  # fmt: skip


def _fell(evidence: Mapping[str, Any]) -> dict[str, Any]:
    return {key: evidence[key] for key in _TOLD}


def _identify(origin: str, kind: str) -> str:
    """An id that follows from its cause, so that deciding twice cannot alert twice."""
    return f"{kind}_{hashlib.sha256(f'{origin}/{kind}'.encode()).hexdigest()[:24]}"
