"""Verdicts that repeat an earlier one, as references to it; the view ``verdict`` shows all of them.

A cycle whose results were judged before has the verdict of that judgement. Its row names the runs and the time, and
refers to the rest. The audit log records the judgement, not its repetitions.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

COPIED = (
    "target", "name", "summary", "advice", "evidence", "baseline_run_ids", "policy", "policy_digest", "seed", "method",
    "look", "look_reason", "lost_queries",
)  # fmt: skip
# The runs of the latest step are pairs: the run before, and the run that was judged.
INSIGHTS = """CASE WHEN decided.insights #> '{run_before,runs}' IS NULL THEN decided.insights ELSE
    jsonb_set(decided.insights, '{run_before,runs}', (
        SELECT coalesce(jsonb_object_agg(step.key, jsonb_build_array(step.value -> 0, coalesce((
            SELECT repeated.run_ids -> (judged.place - 1)::int
            FROM jsonb_array_elements(decided.run_ids) WITH ORDINALITY AS judged(run_id, place)
            WHERE judged.run_id = step.value -> 1
        ), step.value -> 1))), '{}') FROM jsonb_each(decided.insights #> '{run_before,runs}') AS step
    )) END"""
VIEW = f"""
    CREATE VIEW verdict AS
    SELECT verdict_id, cycle_id, {", ".join(COPIED)}, run_ids, insights, decided_at, NULL::text AS repeats
    FROM decided_verdict
    UNION ALL
    SELECT repeated.verdict_id, repeated.cycle_id, {", ".join(f"decided.{name}" for name in COPIED)},
        repeated.run_ids, {INSIGHTS}, repeated.decided_at, decided.verdict_id
    FROM repeated_verdict AS repeated JOIN decided_verdict AS decided USING (verdict_key)"""  # noqa: S608 - constants


def upgrade() -> None:
    """Rename the table, add the table of references, and put a view with the former columns in its place."""
    op.rename_table("verdict", "decided_verdict")
    op.execute("ALTER INDEX verdict_pkey RENAME TO decided_verdict_pkey")
    op.execute("ALTER INDEX verdict_target_idx RENAME TO decided_verdict_target_idx")
    op.execute(
        "ALTER TABLE decided_verdict ADD COLUMN verdict_key bigint GENERATED ALWAYS AS IDENTITY,"
        " ADD CONSTRAINT decided_verdict_verdict_key_key UNIQUE (verdict_key)"
    )
    op.execute(
        """CREATE TABLE repeated_verdict (
            verdict_id text NOT NULL, cycle_id text NOT NULL, verdict_key bigint NOT NULL, target text NOT NULL,
            run_ids jsonb NOT NULL, decided_at timestamptz NOT NULL,
            CONSTRAINT repeated_verdict_pkey PRIMARY KEY (verdict_id),
            CONSTRAINT repeated_verdict_verdict_key_fkey FOREIGN KEY (verdict_key)
                REFERENCES decided_verdict (verdict_key))"""
    )
    op.execute("CREATE INDEX repeated_verdict_target_idx ON repeated_verdict (target, decided_at)")
    op.execute(sa.text(VIEW))


def downgrade() -> None:
    """Write every repeated verdict whole."""
    columns = f"verdict_id, cycle_id, {', '.join(COPIED)}, run_ids, insights, decided_at"
    # These verdicts were decided long ago: they are no news for the audit log.
    op.execute("ALTER TABLE decided_verdict DISABLE TRIGGER audit_verdict")
    op.execute(
        f"INSERT INTO decided_verdict ({columns}) SELECT {columns} FROM verdict WHERE repeats IS NOT NULL"  # noqa: S608 - constants
    )
    op.execute("ALTER TABLE decided_verdict ENABLE TRIGGER audit_verdict")
    op.execute("DROP VIEW verdict")
    op.drop_table("repeated_verdict")
    op.execute("ALTER TABLE decided_verdict DROP COLUMN verdict_key")
    op.execute("ALTER INDEX decided_verdict_pkey RENAME TO verdict_pkey")
    op.execute("ALTER INDEX decided_verdict_target_idx RENAME TO verdict_target_idx")
    op.rename_table("decided_verdict", "verdict")
