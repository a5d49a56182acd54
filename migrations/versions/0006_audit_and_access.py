"""The audit log, API tokens, remembered responses and gate runs.

The database itself writes the audit log: deferred triggers add an entry at the commit of whatever it records, so that
no code path can forget one, and entry and change are stored together or not at all.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

FUNCTIONS = """
CREATE FUNCTION audit_field(value text) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT octet_length(convert_to(value, 'UTF8')) || ':' || value $$;

CREATE FUNCTION audit_hash(entry audit) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(convert_to(
        audit_field(entry.number::text)
        || audit_field(to_char(entry.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        || audit_field(entry.actor) || audit_field(entry.action) || audit_field(entry.subject)
        || audit_field(entry.reason) || audit_field(entry.detail) || audit_field(entry.previous), 'UTF8')), 'hex')
$$;

CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE head audit;
BEGIN
    -- The next entry needs the hash of the one before.
    PERFORM pg_advisory_xact_lock(hashtext('recallwatch audit log'));
    SELECT * INTO head FROM audit ORDER BY number DESC LIMIT 1;
    NEW.number := coalesce(head.number, 0) + 1;
    NEW.recorded_at := clock_timestamp();
    NEW.previous := coalesce(head.hash, '');
    NEW.hash := audit_hash(NEW);
    RETURN NEW;
END $$;

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;

CREATE FUNCTION audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
-- Arguments: action, then the columns of actor, subject and reason ('' for none), then the columns of the detail.
-- Columns are looked up in JSON, so that a column of a later version that is gone leaves a gap and breaks nothing.
DECLARE stored jsonb := to_jsonb(NEW); detail jsonb;
BEGIN
    SELECT coalesce(jsonb_object_agg(name, stored -> name), '{}') INTO detail FROM unnest(TG_ARGV[4:]) AS name;
    INSERT INTO audit (actor, action, subject, reason, detail) VALUES (
        coalesce(nullif(stored ->> TG_ARGV[1], ''), 'recallwatch'), TG_ARGV[0],
        coalesce(stored ->> TG_ARGV[2], ''), coalesce(stored ->> TG_ARGV[3], ''), detail::text);
    RETURN NULL;
END $$;

CREATE FUNCTION audit_verdict() RETURNS trigger LANGUAGE plpgsql AS $$
-- A verdict, with the digests of everything that it was decided on.
DECLARE stored jsonb := to_jsonb(NEW); detail jsonb; inputs jsonb;
BEGIN
    SELECT jsonb_object_agg(name, stored -> name) INTO detail
        FROM unnest(ARRAY['verdict_id', 'name', 'run_ids', 'baseline_run_ids', 'policy_digest', 'seed', 'method',
                          'look', 'look_reason']) AS name;
    SELECT coalesce(jsonb_object_agg(run.run_id, jsonb_build_object(
            'suite', to_jsonb(run) -> 'suite_digest', 'rankings', to_jsonb(run) -> 'fingerprint',
            'answers', to_jsonb(run) -> 'answers')), '{}') INTO inputs
        FROM run WHERE (stored -> 'run_ids') ? run.run_id OR (stored -> 'baseline_run_ids') ? run.run_id;
    INSERT INTO audit (actor, action, subject, reason, detail) VALUES (
        'recallwatch', 'verdict.decided', stored ->> 'target', coalesce(stored ->> 'summary', ''),
        (detail || jsonb_build_object('inputs', inputs))::text);
    RETURN NULL;
END $$;
"""

GUARDS = (
    "CREATE TRIGGER audit_chain BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_chain()",
    "CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_whole BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
    # Also for sessions that replicate, which skip ordinary triggers.
    *(f"ALTER TABLE audit ENABLE ALWAYS TRIGGER {name}" for name in ("audit_chain", "audit_keep", "audit_whole")),
)

ACKNOWLEDGED = "WHEN (NEW.acknowledged_at IS DISTINCT FROM OLD.acknowledged_at AND NEW.acknowledged_at IS NOT NULL)"
DISMISSED = "WHEN (NEW.status = 'dismissed' AND OLD.status <> 'dismissed')"
REVOKED = "WHEN (NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)"
RECORDED = {
    # trigger: (table, event, condition, action, actor, subject, reason, columns of the detail)
    "audit_suite": ("suite", "INSERT", "", "suite.stored", "", "name", "", "digest", "version", "axis"),
    "audit_deployment": (
        *("deployment", "INSERT", "", "deployment.declared", "declared_by", "target", "", "name", "detail"),
    ),
    "audit_promotion": (
        *("baseline", "INSERT", "", "baseline.promoted", "promoted_by", "target", "reason", "suite_name", "run_id"),
    ),
    "audit_acknowledgement": (
        *("incident", "UPDATE", ACKNOWLEDGED, "incident.acknowledged", "acknowledged_by", "incident_id", ""),
        *("target", "subject", "kind"),
    ),
    "audit_dismissal": (
        *("incident", "UPDATE", DISMISSED, "incident.dismissed", "", "incident_id", "reason"),
        *("target", "subject", "kind"),
    ),
    "audit_token": (
        *("token", "INSERT", "", "token.created", "created_by", "token_id", "", "name", "scopes", "expires_at"),
    ),
    "audit_revocation": ("token", "UPDATE", REVOKED, "token.revoked", "revoked_by", "token_id", "", "name"),
    "audit_gate": ("gate", "INSERT", "", "gate.requested", "requested_by", "gate_id", "", "request"),
}

_when = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables, then the triggers that fill the audit log."""
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("recorded_at", _when, nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("actor", "action", "subject", "reason", "detail", "previous", "hash")
        ),
        sa.PrimaryKeyConstraint("number", name="audit_pkey"),
    )
    op.create_table(
        "token",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("token_id", "name", "hash")),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", _when, nullable=False),
        *(sa.Column(name, _when) for name in ("expires_at", "last_used_at", "revoked_at")),
        sa.Column("revoked_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("token_id", name="token_pkey"),
    )
    op.create_table(
        "remembered_response",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("caller", "key", "request_digest")),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", postgresql.JSONB(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", _when, nullable=False),
        sa.PrimaryKeyConstraint("caller", "key", name="remembered_response_pkey"),
    )
    op.create_table(
        "gate",
        sa.Column("gate_id", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", _when, nullable=False),
        sa.Column("request", postgresql.JSONB(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("finished_at", _when),
        sa.Column("result", postgresql.JSONB()),
        sa.PrimaryKeyConstraint("gate_id", name="gate_pkey"),
    )
    op.create_index("gate_requested_at_idx", "gate", ["requested_at"])
    for statement in (FUNCTIONS, *GUARDS):
        op.execute(statement)
    for name, (table, event, condition, *arguments) in RECORDED.items():
        _record(name, table, event, condition, f"audit_row({', '.join(map(repr, arguments))})")
    _record("audit_verdict", "verdict", "INSERT", "", "audit_verdict()")


def _record(name: str, table: str, event: str, condition: str, function: str) -> None:
    """Deferred to the commit: the lock of the audit log is the last one taken, so that it cannot deadlock."""
    op.execute(
        f"CREATE CONSTRAINT TRIGGER {name} AFTER {event} ON {table} DEFERRABLE INITIALLY DEFERRED "
        f"FOR EACH ROW {condition} EXECUTE FUNCTION {function}"
    )


def downgrade() -> None:
    """Drop the triggers, then the tables."""
    for name, (table, *_) in {**RECORDED, "audit_verdict": ("verdict",)}.items():
        op.execute(f"DROP TRIGGER {name} ON {table}")
    op.execute("DROP FUNCTION audit_row(), audit_verdict(), audit_hash(audit)")
    for table in ("gate", "remembered_response", "token", "audit"):
        op.drop_table(table)
    op.execute("DROP FUNCTION audit_chain(), audit_refuse(), audit_field(text)")
