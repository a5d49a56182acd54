"""Sample rows for every table, so that migrations are tested with data in the database."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
FORMER_NAMES = {"vigil": "detector_state"}
"""Tables of earlier revisions, with their name today."""

CONTENTS = frozenset(
    ("ranking", "answer_content", "outcome_block", "measurement_values", "measured", "answer_grade", "dropped_month")
)
"""Tables that a revision fills from ``outcome``, ``measurement`` and ``answer``, which are views from then on."""
REFERENCE = "measured_key"
"""Column of a run that the same revision fills."""
HASH = "00000000-0000-0000-0000-00000000000"
KEPT = date(1970, 1, 1)

EVIDENCE = {
    "suite": "legal", "axis": "broad", "stratum": "overall", "measure": "recall@10", "gating": True, "n_queries": 40,
    "n_clusters": 20, "baseline_mean": 0.9, "candidate_mean": 0.8, "difference": -0.1, "lower": -0.15, "upper": None,
    "p_worse": 0.001, "p_worse_adjusted": 0.002, "p_better": 1.0, "p_better_adjusted": 1.0, "p_not_safe": 0.9,
    "mde": 0.02,
}  # fmt: skip
FIRST_EVIDENCE = {name: value for name, value in EVIDENCE.items() if name != "p_better"}
"""Evidence as the first editions stored it."""
POLICY = {"alpha_page": 0.01, "margin": 0.05, "gating": {"broad": ["recall@10"], "compositional": ["pair_accuracy"]}}


def _run(run_id: str, started_at: datetime) -> dict[str, Any]:
    return {
        "run_id": run_id, "cycle_id": "cycle", "target": "docs", "suite_name": "legal", "suite_digest": "digest",
        "axis": "broad", "depth": 10, "status": "finished", "owner": "host:1", "started_at": started_at,
        "finished_at": started_at, "fingerprint": f"print-{run_id}", "deployment": "v1", "corpus": "corpus-7",
        "answers": "all", "answerer": "bot-1", "judge": "judge-1", "anchors": [[0.5, 0.5]],
        "measured_key": 4,
    }  # fmt: skip


def _verdict(verdict_id: str, name: str, at: datetime, evidence: dict[str, Any]) -> dict[str, Any]:
    return {
        "verdict_id": verdict_id, "cycle_id": "cycle", "target": "docs", "name": name, "summary": f"It is {name}.",
        "advice": "roll back", "evidence": [evidence], "run_ids": ["run-2"], "baseline_run_ids": ["run-1"],
        "policy": POLICY, "policy_digest": "policy", "seed": 7, "method": "cluster-sign-flip", "look": 1,
        "look_reason": "swap", "lost_queries": [{"query_id": "q1"}], "insights": {"legal": {}}, "decided_at": at,
    }  # fmt: skip


def _incident(incident_id: str, at: datetime, resolved_at: datetime | None) -> dict[str, Any]:
    return {
        "incident_id": incident_id, "dedup_key": "recallwatch/docs", "target": "docs", "kind": "regression",
        "subject": "docs", "status": "resolved" if resolved_at else "open", "severity": "warning",
        "verdict_name": "regressed", "policy": "default", "summary": "It is regressed.", "n_paging": 0,
        "recovering": {"legal": 0}, "bounds": {}, "reminded_at": None, "fallen": [],
        "axes": ["broad"], "baseline_run_ids": ["run-1"], "reopened": 0,
        "opened_at": at, "fired_at": at, "acknowledged_at": None, "acknowledged_by": "", "resolved_at": resolved_at,
        "resolution": "recovered" if resolved_at else "", "reason": "", "revision": 1, "dismissed_by": "",
    }  # fmt: skip


ROWS: dict[str, list[dict[str, Any]]] = {
    "suite": [{"digest": "digest", "name": "legal", "version": "1", "axis": "broad", "controls": ["control"]}],
    "suite_query": [{
        "digest": "digest", "query_id": "q1", "ordinal": 0, "text": "which?", "stratum": "s", "cluster": "c",
        "grades": {"d1": 1}, "answers": ["this"], "pair": None, "passages": [["d1", 0, 9, 1]], "follows": "q0",
        "style": "keyword", "answer_parts": [["this", "that"], ["there"]],
    }],
    "run": [_run("run-1", NOON), _run("run-2", LATER)],
    "outcome": [
        {"run_id": "run-1", "query_id": "q1", "duration_s": 0.25, "reason": None, "detail": None,
         "doc_ids": ["d2", "d1"], "scores": [0.75, 0.5], "deployment": "v1", "sources": {"starts": [0, 9]}},
        {"run_id": "run-2", "query_id": "q1", "duration_s": 1.5, "reason": "timeout", "detail": "no response",
         "doc_ids": None, "scores": None, "deployment": None, "sources": None},
    ],
    "measurement": [{"run_id": "run-1", "measure": "recall@10", "query_id": "q1", "value": 0.1 + 0.2}],
    "answer": [{
        "run_id": "run-1", "query_id": "q1", "text": "this", "doc_ids": ["d1"], "citations": ["d1"], "model": "m",
        "deployment": "v1", "tokens": {"prompt": 9}, "reason": None, "detail": None, "duration_s": 0.5, "scores": [1.0],
    }],
    "grade": [{"judge": "judge-1", "key": "key", "scores": [0.5], "requests": 2, "graded_at": NOON}],
    "baseline": [
        {"target": "docs", "suite_name": "legal", "run_id": "run-1", "promoted_by": "ada", "reason": "checked",
         "promoted_at": NOON, "retired_at": None},
    ],
    "detector_state": [{
        "target": "docs", "suite_name": "legal", "revision": 1,
        "state": {"baseline_run_id": "run-1", "noise": {"replays": 3}, "looks": ["2026-03-01T12:00:00Z"]},
    }],
    "deployment": [
        {"target": "docs", "name": "v1", "declared_by": "ada", "declared_at": NOON, "detail": {"model": "minilm"}}
    ],
    "snapshot": [{"target": "docs", "suite_name": "legal", "run_id": "run-1", "state": {"depth": 10}}],
    "swap": [{
        "run_id": "run-2", "previous_run_id": "run-1", "target": "docs", "suite_name": "legal", "declared": False,
        "share_changed": 0.4, "detected_at": LATER, "answers_changed": 0.1, "cause": "model", "evidence": "vectors",
    }],
    "announcement": [{
        "run_id": "run-2", "notifier": "pager", "attempts": 1, "next_attempt_at": None, "leased_until": None,
        "announced_at": LATER, "reason": None,
    }],
    "verdict": [
        _verdict("verdict-1", "passed", NOON - timedelta(days=3), FIRST_EVIDENCE),
        _verdict("verdict-2", "regressed", NOON - timedelta(days=2), EVIDENCE),
        _verdict("verdict-3", "regressed", LATER, FIRST_EVIDENCE),
    ],
    "repeated_verdict": [{
        "verdict_id": "verdict-4", "cycle_id": "cycle", "verdict_key": 3, "target": "docs", "run_ids": ["run-3"],
        "decided_at": LATER,
    }],
    "incident": [
        _incident("incident-1", NOON - timedelta(days=2), NOON - timedelta(days=1)),
        _incident("incident-2", LATER, None),
    ],
    "alert": [{
        "alert_id": "alert-1", "incident_id": "incident-2", "dedup_key": "recallwatch/docs", "state": "firing",
        "payload": {"type": "incident.firing"}, "created_at": LATER, "notifiers": ["pager", "chat"],
        "silenced_until": None, "silence": "",
    }],
    "delivery": [
        {"alert_id": "alert-1", "notifier": notifier, "dedup_key": "recallwatch/docs", "state": "pending",
         "attempts": 1, "next_attempt_at": LATER, "leased_until": None, "delivered_at": None, "reason": "timeout",
         "detail": "no response", "receipt": None}
        for notifier in ("pager", "chat")
    ],
    "ranking": [{
        "month": KEPT, "ranking_key": 1, "hash": f"{HASH}1", "doc_ids": ["d2", "d1"], "scores": [0.75, 0.5],
        "deployment": "v1", "sources": {"starts": [0, 9]},
    }],
    "answer_content": [{
        "month": KEPT, "answer_key": 2, "hash": f"{HASH}2", "text": "this", "doc_ids": ["d1"], "citations": ["d1"],
        "model": "m", "deployment": "v1", "tokens": {"prompt": 9},
    }],
    "outcome_block": [
        {"run_key": 1, "first_ordinal": 0, "ordinals": [0], "ranking_keys": [1], "durations": [0.25], "failures": None,
         "answer_keys": [2], "answer_durations": [0.5], "answer_failures": None},
        {"run_key": 2, "first_ordinal": 0, "ordinals": [0], "ranking_keys": [0], "durations": [1.5],
         "failures": {"0": ["timeout", "no response"]}, "answer_keys": None, "answer_durations": None,
         "answer_failures": None},
    ],
    "measurement_values": [{"values_key": 3, "hash": f"{HASH}3", "numbers": [0.1 + 0.2]}],
    "measured": [{"measured_key": 4, "hash": f"{HASH}4", "value_keys": {"recall@10": 3}, "summary": {"labels": {}}}],
    "answer_grade": [{"run_key": 1, "grades": {"0": [1.0]}}],
    "silence": [{
        "silence_id": "silence-1", "author": "ada", "reason": "upgrade", "match": {"target": "docs"}, "starts_at": NOON,
        "ends_at": LATER, "daily": None, "zone": "UTC", "weekdays": [], "created_at": NOON, "ended_by": None,
        "ended_at": None,
    }],
    "pinned_run": [{"run_id": "run-1", "pinned_by": "ada", "reason": "audit", "pinned_at": NOON}],
    "dropped_month": [{"month": date(2025, 1, 1), "dropped_at": NOON, "rankings": 9, "answers": 9, "bytes": 9}],
    # The database fills number, time and hashes.
    "audit": [{
        "number": 1, "recorded_at": NOON, "actor": "ada", "action": "test", "subject": "docs", "reason": "",
        "detail": "{}", "previous": "", "hash": "",
    }],
    "token": [{
        "token_id": "token-1", "name": "ci", "hash": "hash", "scopes": ["run"], "created_by": "ada", "created_at": NOON,
        "expires_at": None, "last_used_at": LATER, "revoked_at": None, "revoked_by": "",
    }],
    "remembered_response": [{
        "caller": "ci", "key": "k", "request_digest": "digest", "status": 201, "headers": {}, "body": "{}",
        "created_at": NOON,
    }],
    "gate": [{
        "gate_id": "gate-1", "requested_by": "ci", "requested_at": NOON, "request": {"target": "docs"},
        "status": "finished", "finished_at": LATER, "result": {"verdict": "passed"},
    }],
    "slot": [{
        "schedule": "hourly", "scheduled_at": NOON, "owner": "here/1/1", "plan_digest": "digest", "status": "finished",
        "heartbeat": 3, "takeovers": 1, "claimed_at": NOON, "finished_at": LATER, "has_data": True,
    }],
    "peer": [{"owner": "here/1/1", "heartbeat": 9, "schedules": {"hourly": "docs"}}],
    "served_schedule": [{"installation": "one", "schedule": "hourly"}],
    "incident_tally": [{"target": "wiki", "policy": "strict", "fired": 3, "confirmed": 2, "dismissed": 1}],
}  # fmt: skip
ROWS["decided_verdict"] = ROWS["verdict"]


def fill(connection: sa.Connection) -> None:
    """Insert the sample rows into every table, with the columns that the tables have in this revision."""
    metadata = sa.MetaData()
    metadata.reflect(connection)
    skipped = {"alembic_version", "moved_run"} | (CONTENTS if "outcome" in metadata.tables else set())
    for table in metadata.sorted_tables:
        if table.name in skipped or table.name.startswith(("ranking_", "answer_content_")):  # partitions
            continue
        names = [column.name for column in table.columns if column.identity is None]
        rows = ROWS[FORMER_NAMES.get(table.name, table.name)]
        missing = set(names) - rows[0].keys()
        if missing:
            pytest.fail(f"tests/system/stored_rows.py has no sample value for {table.name}: {', '.join(missing)}")
        # JSON null and SQL NULL differ; a missing value is SQL NULL.
        values = [{name: sa.null() if row[name] is None else row[name] for name in names} for row in rows]
        for row in values:
            if table.name == "run" and "ranking" in skipped:
                row.pop(REFERENCE, None)
            connection.execute(sa.insert(table).values(row))


def read(connection: sa.Connection) -> dict[str, list[Any]]:
    """Every row of every table and view as JSON, by the table's name today."""
    inspector = sa.inspect(connection)
    tables = {*inspector.get_table_names(), *inspector.get_view_names()} - {"alembic_version", "moved_run"}
    as_json = sa.select(sa.func.to_jsonb(sa.text("t")))
    return {
        FORMER_NAMES.get(name, name): list(connection.scalars(as_json.select_from(sa.table(name).alias("t"))))
        for name in tables
    }


def lost_rows(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    """Rows of ``before`` that are not contained in ``after``; a row may gain columns and JSON keys."""
    return [
        (table, row)
        for table, rows in before.items()
        for row in rows
        if not any(_contains(other, row) for other in after.get(table, ()))
    ]


def _contains(after: Any, before: Any) -> bool:
    if isinstance(before, dict):
        is_object = isinstance(after, dict)
        return is_object and all(
            name == REFERENCE or (name in after and _contains(after[name], value)) for name, value in before.items()
        )
    if isinstance(before, list):
        is_list = isinstance(after, list) and len(after) == len(before)
        return is_list and all(map(_contains, after, before))
    return bool(after == before)
