"""Complete databases that an earlier edition of 0001 created.

0001 was edited in place four times, so the same revision stands for five schemas. Each step adds the parts that an
earlier edition lacks, and changes nothing in a complete schema.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = {
    "answer": """
        run_id text COLLATE "C" NOT NULL, query_id text COLLATE "C" NOT NULL, text text, doc_ids json, citations json,
        model text, deployment text, tokens json, reason text, detail text, duration_s double precision NOT NULL,
        scores json, CONSTRAINT answer_pkey PRIMARY KEY (run_id, query_id)""",
    "grade": """
        judge text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, scores jsonb NOT NULL,
        requests integer NOT NULL, graded_at timestamptz NOT NULL, CONSTRAINT grade_pkey PRIMARY KEY (judge, key)""",
    "deployment": """
        deployment_id bigint GENERATED ALWAYS AS IDENTITY, target text NOT NULL, name text NOT NULL,
        declared_by text NOT NULL, declared_at timestamptz NOT NULL, detail jsonb NOT NULL,
        CONSTRAINT deployment_pkey PRIMARY KEY (deployment_id)""",
    "snapshot": """
        target text NOT NULL, suite_name text NOT NULL, run_id text NOT NULL, state jsonb NOT NULL,
        CONSTRAINT snapshot_run_id_fkey FOREIGN KEY (run_id) REFERENCES run (run_id),
        CONSTRAINT snapshot_pkey PRIMARY KEY (target, suite_name)""",
}
"""Tables that an earlier edition may lack."""

COLUMNS = {
    "suite_query": {"passages": ("jsonb NOT NULL", "'[]'"), "follows": ("text NOT NULL", "''")},
    "outcome": {"sources": ("json", "NULL")},
    "swap": {
        "answers_changed": ("double precision NOT NULL", "0"),
        "cause": ("text NOT NULL", "''"),
        "evidence": ("text NOT NULL", "''"),
    },
    "verdict": {
        "look": ("integer NOT NULL", "0"),
        "look_reason": ("text NOT NULL", "''"),
        "insights": ("jsonb NOT NULL", "'{}'"),
    },
    "alert": {
        "notifiers": ("jsonb NOT NULL", "'[]'"),
        "silenced_until": ("timestamptz", "NULL"),
        "silence": ("text NOT NULL", "''"),
    },
    "incident": {
        "kind": ("text NOT NULL", "'regression'"),
        "subject": ("text NOT NULL", "''"),
        "status": ("text NOT NULL", "'open'"),
        "severity": ("text NOT NULL", "'warning'"),
        "policy": ("text NOT NULL", "'default'"),
        "summary": ("text NOT NULL", "''"),
        "n_paging": ("integer NOT NULL", "0"),
        "recovering": ("jsonb NOT NULL", "'{}'"),
        "axes": ("jsonb NOT NULL", "'[]'"),
        "baseline_run_ids": ("jsonb NOT NULL", "'[]'"),
        "reopened": ("integer NOT NULL", "0"),
        "fired_at": ("timestamptz", "NULL"),
        "acknowledged_at": ("timestamptz", "NULL"),
        "acknowledged_by": ("text NOT NULL", "''"),
        "resolution": ("text NOT NULL", "''"),
        "reason": ("text NOT NULL", "''"),
        "revision": ("integer NOT NULL", "1"),
    },
}
"""Columns that an earlier edition may lack, with their type and the value in existing rows."""

RUN_COLUMNS = {
    "corpus": "text NOT NULL DEFAULT ''",
    "answers": "text NOT NULL DEFAULT ''",
    "answerer": "text NOT NULL DEFAULT ''",
    "judge": "text NOT NULL DEFAULT ''",
    "anchors": "jsonb NOT NULL DEFAULT '[]'",
}
"""The same for runs, whose columns keep their default."""

INDEXES = (
    "CREATE UNIQUE INDEX IF NOT EXISTS incident_lasting_idx ON incident (kind, subject)"
    " WHERE status IN ('suspected', 'open', 'acknowledged')",
    "CREATE INDEX IF NOT EXISTS incident_dedup_key_idx ON incident (dedup_key)",
    "CREATE INDEX IF NOT EXISTS alert_incident_id_idx ON alert (incident_id)",
    "CREATE INDEX IF NOT EXISTS delivery_pending_idx ON delivery (notifier, delivery_id) WHERE state = 'pending'",
    "CREATE INDEX IF NOT EXISTS delivery_lane_idx ON delivery (notifier, dedup_key, delivery_id)"
    " WHERE state = 'pending'",
    "CREATE INDEX IF NOT EXISTS grade_graded_at_idx ON grade (graded_at)",
    "CREATE INDEX IF NOT EXISTS deployment_target_idx ON deployment (target, declared_at)",
)


def upgrade() -> None:
    """Add the missing parts.

    1. Give outcomes and measurements their final types, without foreign keys.
    2. Create missing tables.
    3. Add missing columns; fill those of incidents and alerts from verdicts and deliveries.
    4. Add the p-value of a gain to stored evidence.
    5. Replace outdated indexes.
    """
    incidents_are_old = "status" not in _columns("incident")
    alerts_are_old = "notifiers" not in _columns("alert")
    _change_types()
    for name, definition in TABLES.items():
        op.execute(f"CREATE TABLE IF NOT EXISTS {name} ({definition})")
    _add_columns()
    if incidents_are_old:
        _fill_incidents()
    if alerts_are_old:
        _fill_alerts()
    _complete_evidence()
    _replace_indexes()


def downgrade() -> None:
    """Keep the repaired schema, which is the one that revision 0002 stands for."""


def _columns(table: str) -> dict[str, sa.types.TypeEngine]:
    return {column["name"]: column["type"] for column in sa.inspect(op.get_bind()).get_columns(table)}


def _change_types() -> None:
    for table, keys in (("outcome", ("run_id", "query_id")), ("measurement", ("run_id", "measure", "query_id"))):
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_run_id_fkey")
        columns = _columns(table)
        changes = [f'ALTER {key} TYPE text COLLATE "C"' for key in keys if columns[key].collation != "C"]
        changes += [
            f"ALTER {name} TYPE json USING {name}::json"
            for name in ("doc_ids", "scores")
            if name in columns and isinstance(columns[name], sa.dialects.postgresql.JSONB)
        ]
        if changes:
            op.execute(f"ALTER TABLE {table} {', '.join(changes)}")
    op.execute("ALTER TABLE delivery ALTER next_attempt_at DROP NOT NULL")


def _add_columns() -> None:
    for name, definition in RUN_COLUMNS.items():
        op.execute(f"ALTER TABLE run ADD COLUMN IF NOT EXISTS {name} {definition}")
    for table, columns in COLUMNS.items():
        missing = {name: column for name, column in columns.items() if name not in _columns(table)}
        for name, (definition, value) in missing.items():
            # A default fills existing rows without rewriting the table; new rows must state their value.
            op.execute(f"ALTER TABLE {table} ADD COLUMN {name} {definition} DEFAULT {value}")
            op.execute(f"ALTER TABLE {table} ALTER {name} DROP DEFAULT")


def _fill_incidents() -> None:
    """Derive the state of incidents from their times, and their suites and axes from the verdict that paged."""
    op.execute("""
        UPDATE incident SET subject = target, fired_at = opened_at,
            status = CASE WHEN resolved_at IS NULL THEN 'open' ELSE 'resolved' END,
            resolution = CASE WHEN resolved_at IS NULL THEN '' ELSE 'recovered' END
    """)
    op.execute("""
        UPDATE incident SET summary = paging.summary, baseline_run_ids = paging.baseline_run_ids,
            recovering = paging.recovering, axes = paging.axes
        FROM (
            SELECT DISTINCT ON (incident_id) incident.incident_id, verdict.summary, verdict.baseline_run_ids,
                (SELECT coalesce(jsonb_object_agg(part ->> 'suite', 0), '{}')
                    FROM jsonb_array_elements(evidence) AS part) AS recovering,
                (SELECT coalesce(jsonb_agg(DISTINCT part -> 'axis'), '[]')
                    FROM jsonb_array_elements(evidence) AS part) AS axes
            FROM incident JOIN verdict ON verdict.target = incident.target
                AND verdict.name IN ('regressed', 'trade_off') AND verdict.decided_at >= incident.opened_at
            ORDER BY incident_id, verdict.decided_at
        ) AS paging
        WHERE paging.incident_id = incident.incident_id
    """)


def _fill_alerts() -> None:
    """A firing alert names the notifiers that it was queued for."""
    op.execute("""
        UPDATE alert SET notifiers = queued.notifiers
        FROM (SELECT alert_id, jsonb_agg(notifier ORDER BY delivery_id) AS notifiers FROM delivery GROUP BY alert_id)
            AS queued
        WHERE queued.alert_id = alert.alert_id AND alert.state = 'firing'
    """)


def _complete_evidence() -> None:
    """Evidence of the first editions has no ``p_better``; null stands for an unknown number."""
    op.execute("""
        UPDATE verdict SET evidence = (
            SELECT jsonb_agg('{"p_better": null}' || part ORDER BY place)
            FROM jsonb_array_elements(evidence) WITH ORDINALITY AS parts(part, place)
        )
        WHERE evidence @? '$[*] ? (!exists(@.p_better))'
    """)


def _replace_indexes() -> None:
    indexes = {index["name"]: index["column_names"] for index in sa.inspect(op.get_bind()).get_indexes("delivery")}
    if indexes.get("delivery_pending_idx") == ["next_attempt_at"]:
        op.execute("DROP INDEX delivery_pending_idx")
    op.execute("DROP INDEX IF EXISTS incident_open_idx")
    for statement in INDEXES:
        op.execute(statement)
