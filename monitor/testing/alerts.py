"""Alerts to deliver: complete ones, and the largest possible."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from monitor.model.alerts import Alert, AlertState

AT = datetime(2026, 1, 1, 3, 4, tzinfo=UTC)


def a_fall(measure: str = "recall@10", difference: float = -0.19, **changes: Any) -> dict[str, Any]:
    """One measure that changed."""
    return {
        "suite": "broad", "axis": "broad", "stratum": "overall", "measure": measure, "baseline_mean": 0.759,
        "candidate_mean": 0.759 + difference, "difference": difference, "lower": difference - 0.03,
        "upper": difference + 0.03, "p_worse_adjusted": 0.0001, "p_better_adjusted": 0.002,
        "n_queries": 826, "n_clusters": 186, "mde": 0.021, "mde_page": 0.034, "fallen": True,
        **changes,
    }  # fmt: skip


def a_lost_query(text: str | None = "which invoices are overdue?") -> dict[str, Any]:
    """One lost query."""
    return {
        "query_id": "q17", "query": text, "stratum": "billing", "suite": "broad", "measure": "ndcg@10",
        "difference": -1.0, "expected": ["d1"], "retrieved_before": ["d1", "d2"], "retrieved_now": ["d8", "d9"],
        "rank_before": 1, "rank_now": 14, "titles": {"d1": "Dunning of late payers", "d8": "Tenancy deposits"},
    }  # fmt: skip


def an_alert(state: str = "firing", *, at: datetime = AT, **changes: Any) -> Alert:
    """An alert with every key of a payload."""
    is_closed = state == "resolved"
    strata = (("travel", -0.31), ("science", -0.27), ("billing", -0.24), ("legal contracts", -0.2), ("food", -0.18))
    resolved_at = (AT + timedelta(seconds=7_500)).isoformat() if is_closed else None
    data = {
        "incident_id": "incident_1", "dedup_key": "recallwatch/production", "state": state, "target": "production",
        "kind": "regression", "verdict": "trade_off", "severity": "critical", "owner": "search",
        "summary": "broad recall@10 fell 19.0 points, 0.759 → 0.570 <and> 26 other measures with it.",
        "advice": "roll back", "opened_at": AT.isoformat(), "resolved_at": resolved_at,
        "first_drop": {"axis": "broad", "suite": "broad", "stratum": "overall"},
        "verdict_id": "v1", "run_ids": ["r1"], "baseline_run_ids": ["b1"],
        "headline": a_fall(), "fallen": [a_fall(), a_fall("mrr@10", -0.15), a_fall(stratum="billing")],
        "strata": [
            *(a_fall(difference=difference, stratum=name, n_queries=70) for name, difference in strata),
            a_fall(difference=0.01, stratum="sports", n_queries=70),
        ],
        "gain": a_fall("pair_accuracy", 0.2, axis="compositional", suite="compositional"),
        "risen": [a_fall("pair_accuracy", 0.2, axis="compositional", suite="compositional")],
        "cause": {
            "likely": "the embedding model changed", "excluded": ["index", "corpus", "configuration"],
            "share_changed": 0.99, "evidence": "The vectors of queries and documents moved.",
        },
        "blame": {"shares": {"retrieval": 0.92, "generation": 0.08}, "measure": "answer_f1", "sentence": None},
        "lost_queries": [a_lost_query()], "next_command": "recallwatch compare b1 r1",
        "links": {
            "run": "https://watch.example.org/runs/r1", "comparison": "https://watch.example.org/comparisons/v1",
            "incident": "https://watch.example.org/incidents/incident_1",
            "dashboard": "https://grafana.example.org/d/recallwatch", "runbook": "https://docs.example.org/runbook",
        },
        "duration_s": 7_500.0 if is_closed else None,
        "deployment": {"baseline": "minilm-v1", "candidate": "minilm-v2", "since": AT.isoformat(), "declared": True,
                       "declared_by": "ci"},
        "acknowledged_by": "ada" if state == "acknowledged" else None,
        **changes,
    }  # fmt: skip
    payload = {"type": f"incident.{state}", "timestamp": at.isoformat(), "data": data}
    # Notifiers must accept any text as a state.
    return Alert(
        alert_id=f"{state}_0123456789abcdef",
        incident_id="incident_1",
        dedup_key="recallwatch/production",
        state=cast("AlertState", state),
        payload=payload,
        created_at=at,
    )


FIRING, RESOLVED = an_alert("firing"), an_alert("resolved")


def a_large_alert(character: str, *, length: int = 100_000, n_items: int = 100) -> Alert:
    """An alert with long lists and long texts."""
    text = character * length
    lost_query = {
        **a_lost_query(text),
        "expected": [text] * n_items,
        "retrieved_now": [text] * n_items,
        "titles": {text: text},
        "answer_now": text,
    }
    return an_alert(
        target=text, verdict=text, severity=text, summary=text, advice=text, next_command=text, acknowledged_by=text,
        duration_s=1e300, verdict_id=text, run_ids=[text] * n_items,
        fallen=[a_fall(text, float("-inf"), stratum=text)] * n_items, risen=[a_fall(text, stratum=text)] * n_items,
        headline=a_fall(text, stratum=text), strata=[a_fall(text, stratum=f"{n}{text}") for n in range(n_items)],
        gain=a_fall(text, stratum=text), reason=text, subject=text, resolution=text,
        cause={"likely": text, "excluded": [text] * n_items, "share_changed": 1e300, "evidence": text},
        blame={"shares": {f"{n}{text}": 1e300 for n in range(n_items)}, "measure": text},
        lost_queries=[lost_query] * n_items,
        links={text: f"https://example.org/{text}", **{f"l{n}": f"https://x/{'y' * 780}" for n in range(n_items)}},
        deployment={"baseline": text, "candidate": text, "since": text, "declared": False, "declared_by": text},
    )  # fmt: skip
