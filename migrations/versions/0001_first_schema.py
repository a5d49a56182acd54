"""First schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """First schema."""
    op.create_table(
        "incident",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("dedup_key", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("verdict_name", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("n_paging", sa.Integer(), nullable=False),
        sa.Column("recovering", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("axes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("baseline_run_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reopened", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("incident_pkey")),
    )
    op.create_index(
        "incident_lasting_idx",
        "incident",
        ["kind", "subject"],
        unique=True,
        postgresql_where=sa.text("status IN ('suspected', 'open', 'acknowledged')"),
    )
    op.create_index("incident_dedup_key_idx", "incident", ["dedup_key"], unique=False)
    op.create_table(
        "suite",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("axis", sa.Text(), nullable=False),
        sa.Column("controls", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("suite_pkey")),
    )
    op.create_table(
        "verdict",
        sa.Column("verdict_id", sa.Text(), nullable=False),
        sa.Column("cycle_id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("run_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("baseline_run_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("policy", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("policy_digest", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("look", sa.Integer(), nullable=False),
        sa.Column("look_reason", sa.Text(), nullable=False),
        sa.Column("lost_queries", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("insights", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("verdict_id", name=op.f("verdict_pkey")),
    )
    op.create_index("verdict_target_idx", "verdict", ["target", "decided_at"], unique=False)
    op.create_table(
        "alert",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("dedup_key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("notifiers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("silenced_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("silence", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.incident_id"], name=op.f("alert_incident_id_fkey")),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("alert_pkey")),
    )
    op.create_index("alert_incident_id_idx", "alert", ["incident_id"], unique=False)
    op.create_table(
        "run",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("cycle_id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("suite_name", sa.Text(), nullable=False),
        sa.Column("suite_digest", sa.Text(), nullable=False),
        sa.Column("axis", sa.Text(), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fingerprint", sa.Text(), server_default="", nullable=False),
        sa.Column("deployment", sa.Text(), server_default="", nullable=False),
        sa.Column("corpus", sa.Text(), server_default="", nullable=False),
        sa.Column("answers", sa.Text(), server_default="", nullable=False),
        sa.Column("answerer", sa.Text(), server_default="", nullable=False),
        sa.Column("judge", sa.Text(), server_default="", nullable=False),
        sa.Column("anchors", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.ForeignKeyConstraint(["suite_digest"], ["suite.digest"], name=op.f("run_suite_digest_fkey")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("run_pkey")),
    )
    op.create_index("run_running_idx", "run", ["owner"], unique=False, postgresql_where=sa.text("status = 'running'"))
    op.create_index("run_target_suite_idx", "run", ["target", "suite_name", "started_at"], unique=False)
    op.create_table(
        "suite_query",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("query_id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("stratum", sa.Text(), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("grades", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("answers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("pair", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("passages", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("follows", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["suite.digest"], name=op.f("suite_query_digest_fkey")),
        sa.PrimaryKeyConstraint("digest", "query_id", name=op.f("suite_query_pkey")),
    )
    op.create_table(
        "baseline",
        sa.Column("baseline_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("suite_name", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("promoted_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("baseline_run_id_fkey")),
        sa.PrimaryKeyConstraint("baseline_id", name=op.f("baseline_pkey")),
    )
    op.create_index(
        "baseline_current_idx",
        "baseline",
        ["target", "suite_name"],
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_table(
        "delivery",
        sa.Column("delivery_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("notifier", sa.Text(), nullable=False),
        sa.Column("dedup_key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.alert_id"], name=op.f("delivery_alert_id_fkey")),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("delivery_pkey")),
        sa.UniqueConstraint("alert_id", "notifier", name=op.f("delivery_alert_id_key")),
    )
    op.create_index(
        "delivery_pending_idx",
        "delivery",
        ["notifier", "delivery_id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "delivery_lane_idx",
        "delivery",
        ["notifier", "dedup_key", "delivery_id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "measurement",
        sa.Column("run_id", sa.Text(collation="C"), nullable=False),
        sa.Column("measure", sa.Text(collation="C"), nullable=False),
        sa.Column("query_id", sa.Text(collation="C"), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "measure", "query_id", name=op.f("measurement_pkey")),
    )
    op.create_table(
        "outcome",
        sa.Column("run_id", sa.Text(collation="C"), nullable=False),
        sa.Column("query_id", sa.Text(collation="C"), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("doc_ids", sa.JSON(), nullable=True),
        sa.Column("scores", sa.JSON(), nullable=True),
        sa.Column("deployment", sa.Text(), nullable=True),
        sa.Column("sources", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "query_id", name=op.f("outcome_pkey")),
    )
    op.create_table(
        "answer",
        sa.Column("run_id", sa.Text(collation="C"), nullable=False),
        sa.Column("query_id", sa.Text(collation="C"), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("doc_ids", sa.JSON(), nullable=True),
        sa.Column("citations", sa.JSON(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("deployment", sa.Text(), nullable=True),
        sa.Column("tokens", sa.JSON(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "query_id", name=op.f("answer_pkey")),
    )
    op.create_table(
        "grade",
        sa.Column("judge", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("scores", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("graded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("judge", "key", name=op.f("grade_pkey")),
    )
    op.create_index("grade_graded_at_idx", "grade", ["graded_at"], unique=False)
    op.create_table(
        "vigil",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("suite_name", sa.Text(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("target", "suite_name", name=op.f("vigil_pkey")),
    )
    op.create_table(
        "deployment",
        sa.Column("deployment_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("declared_by", sa.Text(), nullable=False),
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("deployment_id", name=op.f("deployment_pkey")),
    )
    op.create_index("deployment_target_idx", "deployment", ["target", "declared_at"], unique=False)
    op.create_table(
        "snapshot",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("suite_name", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("snapshot_run_id_fkey")),
        sa.PrimaryKeyConstraint("target", "suite_name", name=op.f("snapshot_pkey")),
    )
    op.create_table(
        "swap",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("previous_run_id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("suite_name", sa.Text(), nullable=False),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.Column("share_changed", sa.Double(), nullable=False),
        sa.Column("detected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answers_changed", sa.Double(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["previous_run_id"], ["run.run_id"], name=op.f("swap_previous_run_id_fkey")),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("swap_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("swap_pkey")),
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_table("swap")
    op.drop_table("snapshot")
    op.drop_index("deployment_target_idx", table_name="deployment")
    op.drop_table("deployment")
    op.drop_table("vigil")
    op.drop_index("grade_graded_at_idx", table_name="grade")
    op.drop_table("grade")
    op.drop_table("answer")
    op.drop_table("outcome")
    op.drop_table("measurement")
    op.drop_index("delivery_lane_idx", table_name="delivery", postgresql_where=sa.text("state = 'pending'"))
    op.drop_index("delivery_pending_idx", table_name="delivery", postgresql_where=sa.text("state = 'pending'"))
    op.drop_table("delivery")
    op.drop_index("baseline_current_idx", table_name="baseline", postgresql_where=sa.text("retired_at IS NULL"))
    op.drop_table("baseline")
    op.drop_table("suite_query")
    op.drop_index("run_target_suite_idx", table_name="run")
    op.drop_index("run_running_idx", table_name="run", postgresql_where=sa.text("status = 'running'"))
    op.drop_table("run")
    op.drop_index("alert_incident_id_idx", table_name="alert")
    op.drop_table("alert")
    op.drop_index("verdict_target_idx", table_name="verdict")
    op.drop_table("verdict")
    op.drop_table("suite")
    op.drop_index("incident_dedup_key_idx", table_name="incident")
    op.drop_index(
        "incident_lasting_idx",
        table_name="incident",
        postgresql_where=sa.text("status IN ('suspected', 'open', 'acknowledged')"),
    )
    op.drop_table("incident")
